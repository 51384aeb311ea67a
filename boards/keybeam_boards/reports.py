"""What nextpnr's report and log say: clocks, slowest paths, utilisation, places of pads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from keybeam_boards.errors import ToolError
from keybeam_boards.pads import Place

__all__ = [
    "CLOCK_NETS",
    "ClockResult",
    "WorstPath",
    "clocks",
    "places",
    "utilisation",
    "worst_paths",
]

# A net has several names, of which nextpnr takes one: that of the domain's clock, with or without
# its path, or that of the pad's cell.
CLOCK_NETS = {
    "dram": re.compile(r"(.*\.)?(dram|sys)_clk"),
    "eclk": re.compile(r"(.*\.)?eclk_clk"),
    "reference": re.compile(r"(.*\.)?reference(_clk|_pad\..*)?"),
    # Last, since a core may call any clock just that.
    "sync": re.compile(r"(.*\.)?clk"),
}
# What nextpnr calls the end of a path that is at no register.
_UNCLOCKED = "<async>"
_PAD = re.compile(r"^Info: pin '(?P<cell>[^']+)' constrained to Bel 'X(\d+)/Y(\d+)/PIO([A-D])'")


@dataclass(frozen=True)
class ClockResult:
    """A clock that a build must reach, and the one that its slowest path allows."""

    required_mhz: float
    """Frequency at which the board runs the clock."""
    achieved_mhz: float
    """Highest frequency that the placed and routed design allows."""

    @property
    def met(self) -> bool:
        """The clock runs as fast as it must."""
        return self.achieved_mhz >= self.required_mhz


@dataclass(frozen=True)
class WorstPath:
    """The slowest path from one clock to another."""

    source: str
    """Clock edge from which the path begins, or ``<async>``."""
    destination: str
    """Clock edge at which the path ends, or ``<async>``."""
    delay_ns: float
    """Whole delay."""
    logic_ns: float
    """Delay of cells in it."""
    levels: int
    """Cells passed between the first and the last."""
    steps: tuple[str, ...]
    """Net at each hop, from the first register to the last."""

    @property
    def ends(self) -> tuple[str, str]:
        """Where the path begins, and where it ends."""
        return self.source, self.destination


def _domain(net: str) -> str | None:
    """Give the clock domain that a net is the clock of, or None."""
    plain = net.removeprefix("$glbnet$")
    return next((name for name, nets in CLOCK_NETS.items() if nets.fullmatch(plain)), None)


def clocks(report: Mapping[str, Any], required: Mapping[str, Fraction]) -> dict[str, ClockResult]:
    """Read what each clock achieves.

    Parameters
    ----------
    report : mapping
        nextpnr's report, read from JSON.
    required : mapping of str to Fraction
        Clock domains and the frequencies they run at, in hertz.

    Returns
    -------
    dict of str to ClockResult
        One for each required clock.

    Raises
    ------
    ToolError
        If the report lacks a clock, or the tool aimed lower than required: a constraint on a
        net that was renamed is dropped without a failure.
    """
    by_domain = {_domain(net): figures for net, figures in report["fmax"].items()}
    found = {}
    for domain, frequency in required.items():
        figures = by_domain.get(domain)
        if figures is None:
            raise ToolError(f"nextpnr reports no timing for the clock {domain}")
        wanted = float(frequency) / 1e6
        if figures["constraint"] < wanted * (1 - 1e-6):
            raise ToolError(
                f"nextpnr constrained the clock {domain} to {figures['constraint']:.2f} MHz "
                f"instead of {wanted:.2f} MHz"
            )
        found[domain] = ClockResult(wanted, figures["achieved"])
    return found


def worst_paths(report: Mapping[str, Any]) -> list[WorstPath]:
    """Read the slowest path between every two clocks.

    Parameters
    ----------
    report : mapping
        nextpnr's report, read from JSON.

    Returns
    -------
    list of WorstPath
        First those within a clock, which its period bounds, then those from one clock to another,
        then those that begin or end at none; the slowest of each first.
    """
    paths = []
    for entry in report["critical_paths"]:
        hops = entry["path"]
        logic = [hop for hop in hops if hop["type"] == "logic"]
        paths.append(
            WorstPath(
                source=_edge(entry["from"]),
                destination=_edge(entry["to"]),
                delay_ns=sum(hop["delay"] for hop in hops),
                logic_ns=sum(hop["delay"] for hop in hops if hop["type"] != "routing"),
                levels=len(logic),
                steps=tuple(hop["net"] for hop in hops if hop["type"] == "routing"),
            )
        )
    return sorted(paths, key=lambda path: (_rank(path), -path.delay_ns))


def _rank(path: WorstPath) -> int:
    """Place of a kind of paths in a report."""
    if _UNCLOCKED in path.ends:
        return 2
    source, destination = (end.rpartition(" ")[2] for end in path.ends)
    return int(source != destination)


def _edge(text: str) -> str:
    """``posedge $glbnet$clocks.clk`` as ``posedge sync``."""
    edge, _, net = text.rpartition(" ")
    return f"{edge} {_domain(net) or _plain(net)}".strip()


def _plain(net: str) -> str:
    """``$glbnet$pulser$99.node_6`` as ``pulser.node_6``."""
    return re.sub(r"\$\d+\b", "", net.removeprefix("$glbnet$"))


def utilisation(report: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Read how many cells of each type are used.

    Parameters
    ----------
    report : mapping
        nextpnr's report, read from JSON.

    Returns
    -------
    dict of str to dict
        ``used`` and ``available`` of each type that is used at all.
    """
    return {
        cell: {"used": figures["used"], "available": figures["available"]}
        for cell, figures in sorted(report["utilization"].items())
        if figures["used"]
    }


def places(log: str) -> dict[str, Place]:
    """Read where the pads are.

    Parameters
    ----------
    log : str
        nextpnr's log.

    Returns
    -------
    dict of str to Place
        By the name of the pad's cell.
    """
    found = (_PAD.match(line) for line in log.splitlines())
    return {
        match["cell"]: Place(int(match[2]), int(match[3]), match[4]) for match in found if match
    }
