"""Finds where signals of one clock are taken over by another, in the net list Amaranth makes.

No open tool constrains such crossings, so each has to be one of two kinds: a
synchroniser of Amaranth's own, or one of `REASONED`, each with the reason why
it is safe. A build with any other is refused.
"""

import functools
import inspect
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from amaranth.build import Platform
from amaranth.hdl import Elaboratable, _ir, _nir
from amaranth.lib import cdc

from keybeam_boards.errors import RuleError
from keybeam_gateware.primitives.fixed_word import FIXED_BIT

__all__ = [
    "REASONED",
    "Crossing",
    "ReasonedCrossing",
    "crossing_violations",
    "find_crossings",
    "prepared_crossings",
]

_SAMPLED = {
    "FD1S3AX": ("CK", r"D"),
    "FD1S3BX": ("CK", r"D"),  # the asynchronous set and clear are meant
    "FD1S3DX": ("CK", r"D"),
    "ODDRX1F": ("SCLK", r"D\d"),
    "ODDRX2F": ("SCLK", r"D\d"),
    "DCUA": ("CH0_FF_TXI_CLK", r"CH0_FF_TX_D_\d+"),
    "KEYBEAM_DELAY_REGISTER": ("CLK", r"DI"),
}
"""Cells that take inputs over with a clock: the clock's port, and a pattern of the inputs."""

_GIVEN = {
    "FD1S3AX": "CK",
    "FD1S3BX": "CK",
    "FD1S3DX": "CK",
    "IDDRX1F": "SCLK",
    "IDDRX2F": "SCLK",
    "KEYBEAM_DELAY_REGISTER": "CLK",
    "KEYBEAM_SHARED_LANE": "CLK",
}
"""Cells whose outputs change with a clock, by its port."""

_THROUGH = {
    *("LUT4", "IB", "OB", "OBZ", "DELAYF"),
    *("KEYBEAM_DELAY_ENTRY", "KEYBEAM_DELAY_TAP", "KEYBEAM_DELAY_END", FIXED_BIT),
}
"""Cells whose outputs follow their inputs."""

_CLOCKLESS = {
    "EHXPLLL": "lock of a PLL",
    "DCUA": "lock of a SERDES",
    "CLKDIVF": "clock",
    "DCCA": "clock",
    "ECLKSYNCB": "clock",
}
"""Cells whose outputs belong to no clock of the logic."""

_SINKS = {"GSR"}

_CORES = {"keybeam_dram": ("clk", "rst")}
"""Blocks that take all inputs over with a clock that they give, and change their outputs with it;
with the inputs that they synchronise themselves."""

_CLOCKS = {
    "IB": "reference",
    "CLKDIVF": "sync",
    "DCCA": "sync",
    "ECLKSYNCB": "eclk",
    "EHXPLLL": "eclk",
    "LUT4": "ring oscillator",
    "keybeam_dram": "dram",
}
"""Clocks by the kind of cell that drives them."""


class ReasonedCrossing(NamedTuple):
    """A crossing that is safe by its place in the design."""

    module: str
    """Pattern of the path of the module that has the register."""
    sources: tuple[str, ...]
    """Clocks the signal may belong to, or what it may come from."""
    clock: str
    """Clock of the register."""
    primitive: str
    """What takes the signal over."""
    reason: str
    """Why that is safe."""


REASONED = (
    ReasonedCrossing(
        r"clocks",
        ("lock of a PLL", "pad"),
        "reference",
        "two flip-flops in a row",
        "they drive the start of the clocks, and are no FFSynchronizer because the reset that they "
        "cause must not touch them",
    ),
    ReasonedCrossing(
        r"delay_line_\w+",
        ("pad", "ring oscillator", "reference"),
        "sync",
        "flip-flops of a delay line",
        "to take what has no time of its own is what a delay line is for; the encoder leaves them "
        "a cycle to settle",
    ),
    ReasonedCrossing(
        r"ddrN\.bridge\.crossing",
        ("sync",),
        "dram",
        "words beside their pointer",
        "a word is taken only when its pointer, which is synchronised, has passed it",
    ),
    ReasonedCrossing(
        r"ddrN\.bridge",
        ("dram",),
        "sync",
        "a line that stands still",
        "the line that was read does not change when its turn, which is synchronised, is seen",
    ),
    ReasonedCrossing(
        r"word_phase",
        ("sync",),
        "eclk",
        "falling edge of a clock of one loop",
        "both clocks come from one loop, and the edge is half a period of eclk from any of sync; "
        "a rule limits the path",
    ),
    ReasonedCrossing(
        r"\w+_N\.gear",
        ("sync",),
        "eclk",
        "word taken in its middle",
        "both clocks come from one loop, and a word is taken a whole period of eclk after it "
        "changed; a rule limits the path",
    ),
    ReasonedCrossing(
        r"\w+_N\.gear",
        ("eclk",),
        "sync",
        "word taken in its middle",
        "as above, the other way",
    ),
)
"""Crossings that are safe without a synchroniser of Amaranth's."""


class Crossing(NamedTuple):
    """A register that takes over a signal of another clock."""

    module: str
    """Path of the module that has the register, its numbers replaced by N."""
    source: str
    """Clock the signal belongs to, or what it comes from."""
    clock: str
    """Clock of the register."""
    primitive: str | None
    """What takes the signal over; None if it is nothing that is known to be safe."""


@functools.cache
def _synchronisers() -> tuple[tuple[str, range], ...]:
    """Classes of Amaranth's synchronisers and the lines of their source."""
    found = []
    for name in cdc.__all__:
        lines, first = inspect.getsourcelines(getattr(cdc, name))
        found.append((name, range(first, first + len(lines))))
    return tuple(found)


def _primitive(cell: _nir.Cell, module: str, source: str, clock: str) -> str | None:
    file, line = cell.src_loc or ("", 0)
    if Path(file).parts[-3:] == ("amaranth", "lib", "cdc.py"):
        return next((name for name, lines in _synchronisers() if line in lines), None)
    return next(
        (
            known.primitive
            for known in REASONED
            if re.fullmatch(known.module, module)
            and source in known.sources
            and clock == known.clock
        ),
        None,
    )


class _Netlist:
    """What each net of a net list depends on."""

    def __init__(self, netlist: _nir.Netlist) -> None:
        self._cells = netlist.cells
        self._modules = [".".join(module.name[1:]) for module in netlist.modules]
        self._writers = defaultdict(set)
        for cell in netlist.cells:
            if isinstance(cell, _nir.SyncWritePort):
                self._writers[cell.memory].add(cell.clk)
        self._found: dict[_nir.Net, frozenset[str]] = {}

    def clock_name(self, net: _nir.Net) -> str:
        """Name a clock by what drives it."""
        if net.is_const:
            return "none"
        cell = self._cells[net.cell]
        if isinstance(cell, _nir.Operator):  # the inversion of a pad, by nothing
            (net,) = (one for one in cell.input_nets() if not one.is_const)
            return self.clock_name(net)
        return _CLOCKS[cell.type]

    def sources(self, net: _nir.Net) -> frozenset[str]:
        """Give the clocks that the flip-flops behind a net run on, and what else is behind it."""
        stack, opened = [net], set()
        while stack:
            here = stack[-1]
            if here in self._found:
                stack.pop()
                continue
            own, through = self._step(here)
            missing = [one for one in through if one not in self._found and one not in opened]
            opened.add(here)
            if missing:
                stack += missing
                continue
            # What is open still is a loop of vendor cells, and adds nothing.
            behind = (self._found.get(one, frozenset()) for one in through)
            self._found[here] = frozenset(own).union(*behind)
            stack.pop()
        return self._found[net]

    def _step(self, net: _nir.Net) -> tuple[set[str], list[_nir.Net]]:
        """Give what a net is given by itself, and the nets it follows."""
        if net.is_const:
            return set(), []
        cell = self._cells[net.cell]
        if isinstance(cell, _nir.FlipFlop | _nir.SyncReadPort):
            return {self.clock_name(cell.clk)}, []
        if isinstance(cell, _nir.AsyncReadPort):
            return {self.clock_name(clk) for clk in self._writers[cell.memory]}, list(cell.addr)
        if isinstance(cell, _nir.Instance):
            if cell.type in _CORES:
                return {_CLOCKS[cell.type]}, []
            if cell.type in _GIVEN:
                return {self.clock_name(cell.ports_i[_GIVEN[cell.type]][0])}, []
            if cell.type in _THROUGH:
                pads = {"pad"} if cell.type == "IB" else set()
                ring = {"ring oscillator"} if cell.type == "LUT4" else set()
                return pads | ring, [n for value in cell.ports_i.values() for n in value]
            return {_CLOCKLESS[cell.type]}, []
        return set(), [source for source, _ in cell.comb_edges_to(net.bit)]

    def crossings(self) -> set[Crossing]:
        """Find every crossing."""
        found = set()
        for index, cell in enumerate(self._cells):
            for clock, nets in self._taken_over(index, cell):
                name = self.clock_name(clock)
                module = re.sub(r"\d+", "N", self._modules[cell.module_idx])
                others = set().union(*(self.sources(net) for net in nets)) - {name}
                if isinstance(cell, _nir.SyncReadPort):
                    others |= {self.clock_name(clk) for clk in self._writers[cell.memory]} - {name}
                found |= {
                    Crossing(module, source, name, _primitive(cell, module, source, name))
                    for source in others
                }
        return found

    def _taken_over(self, index, cell):
        """Clock and inputs of a register, if the cell is one."""
        if isinstance(cell, _nir.FlipFlop):
            yield cell.clk, [*cell.data, cell.arst]
        elif isinstance(cell, _nir.SyncWritePort):
            yield cell.clk, [*cell.data, *cell.addr, *cell.en]
        elif isinstance(cell, _nir.SyncReadPort):
            yield cell.clk, [*cell.addr, cell.en]
        elif isinstance(cell, _nir.Instance) and cell.type in _CORES:
            apart = _CORES[cell.type]
            taken = [n for port, value in cell.ports_i.items() if port not in apart for n in value]
            yield _nir.Net.from_cell(index, 0), taken
        elif isinstance(cell, _nir.Instance) and cell.type in _SAMPLED:
            port, inputs = _SAMPLED[cell.type]
            taken = [
                n for p, value in cell.ports_i.items() if re.fullmatch(inputs, p) for n in value
            ]
            if port in cell.ports_i:
                yield cell.ports_i[port][0], taken
        elif isinstance(cell, _nir.Instance):
            known = {*_GIVEN, *_THROUGH, *_CLOCKLESS, *_SINKS}
            if cell.type not in known:
                raise RuleError(f"it is not known how {cell.type} follows its clocks")


def prepared_crossings(platform: Platform) -> list[Crossing]:
    """Find every crossing of a design that its platform has prepared.

    Parameters
    ----------
    platform : Platform
        The board, after `prepare`.

    Returns
    -------
    list of Crossing
        Sorted by module.

    Raises
    ------
    RuleError
        If it is not known how a cell of the part follows its clocks.
    """
    # Amaranth gives its net list to nobody.
    netlist = _ir.build_netlist(platform._design, (), name="top")
    return sorted(_Netlist(netlist).crossings(), key=lambda one: one[:3])


def find_crossings(platform: Platform, top: Elaboratable) -> list[Crossing]:
    """Find every crossing of a design without building it.

    Parameters
    ----------
    platform : Platform
        The board; of no use afterwards.
    top : Elaboratable
        The design.

    Returns
    -------
    list of Crossing
        Sorted by module.
    """
    platform.toolchain_prepare = lambda *_: None  # no files are wanted
    platform.prepare(top)
    return prepared_crossings(platform)


def crossing_violations(crossings: Iterable[Crossing]) -> list[str]:
    """Check that every crossing is known to be safe.

    Parameters
    ----------
    crossings : iterable of Crossing
        All crossings of a design.

    Returns
    -------
    list of str
        One sentence per violation.
    """
    return [
        f"a register of {one.module or 'the top'} takes over a signal of {one.source} with the "
        f"clock {one.clock}, through no synchroniser and for no known reason"
        for one in crossings
        if one.primitive is None
    ]
