"""How far placement and routing are, from what nextpnr says on the way."""

import re

__all__ = ["Milestones"]

_STAGES = {
    "Info: Creating initial analytic placement": "placing",
    "Info: Running simulated annealing placer for refinement": "refining the placement",
}
_CONNECTIONS = re.compile(r"Info: Routing (\d+) arcs")
_LEFT = re.compile(r"Info: +\d+ \|[^|]*\|[^|]*\| *(\d+)\|")
"""A line of router1's table: connections made, with and without taking away others, the same since
the last line, connections left."""
_TENTHS = 10


class Milestones:
    """Tells a stage when it begins, and each tenth of the connections that is routed.

    The last tenths may take the longest, and connections that were made may be taken away again:
    what was told is not told twice.
    """

    def __init__(self) -> None:
        self._connections = 0
        self._told = 0

    def __call__(self, line: str) -> str | None:
        """Read a line of nextpnr's output.

        Parameters
        ----------
        line : str
            The line.

        Returns
        -------
        str or None
            What to tell, if anything.
        """
        if found := _CONNECTIONS.match(line):
            self._connections, self._told = int(found[1]), 0
            return f"routing {self._connections} connections"
        if found := _LEFT.match(line):
            return self._routed(int(found[1]))
        return next((stage for head, stage in _STAGES.items() if line.startswith(head)), None)

    def _routed(self, left: int) -> str | None:
        tenths = _TENTHS * (self._connections - left) // max(1, self._connections)
        if tenths <= self._told:
            return None
        self._told = tenths
        return f"routed {100 * tenths // _TENTHS} %"
