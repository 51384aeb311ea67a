"""Finds where signals of one clock are taken over by another, in the net list Amaranth makes."""

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from amaranth.back import rtlil
from amaranth.hdl import _nir

_SAMPLED = {
    "FD1S3AX": ("CK", r"D"),
    "FD1S3BX": ("CK", r"D"),  # the asynchronous set and clear are meant
    "FD1S3DX": ("CK", r"D"),
    "ODDRX2F": ("SCLK", r"D\d"),
    "DCUA": ("CH0_FF_TXI_CLK", r"CH0_FF_TX_D_\d+"),
    "KEYBEAM_DELAY_REGISTER": ("CLK", r"DI"),
}
"""Cells that take inputs over with a clock: the clock's port, and a pattern of the inputs."""

_GIVEN = {
    "FD1S3AX": "CK",
    "FD1S3BX": "CK",
    "FD1S3DX": "CK",
    "IDDRX2F": "SCLK",
    "KEYBEAM_DELAY_REGISTER": "CLK",
    "KEYBEAM_SHARED_LANE": "CLK",
}
"""Cells whose outputs change with a clock, by its port."""

_THROUGH = {
    *("LUT4", "IB", "OB", "OBZ", "DELAYF"),
    *("KEYBEAM_DELAY_ENTRY", "KEYBEAM_DELAY_TAP", "KEYBEAM_DELAY_END"),
}
"""Cells whose outputs follow their inputs."""

_CLOCKLESS = {
    "EHXPLLL": "lock of a PLL",
    "DCUA": "lock of a SERDES",
    "CLKDIVF": "clock",
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
    "ECLKSYNCB": "eclk",
    "LUT4": "ring oscillator",
    "keybeam_dram": "dram",
}
"""Clocks by the kind of cell that drives them."""


class Crossing(NamedTuple):
    """A register that takes over a signal of another clock."""

    module: str
    """Path of the module that has the register, its numbers left out."""
    source: str
    """Clock the signal belongs to, or what it comes from."""
    clock: str
    """Clock of the register."""
    reviewed: bool
    """The register is one of Amaranth's own synchronisers."""


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
        """What a net is given by itself, and the nets it follows."""
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
                file = Path(cell.src_loc[0]) if cell.src_loc else Path()
                reviewed = file.parts[-3:] == ("amaranth", "lib", "cdc.py")
                others = set().union(*(self.sources(net) for net in nets)) - {name}
                if isinstance(cell, _nir.SyncReadPort):
                    others |= {self.clock_name(clk) for clk in self._writers[cell.memory]} - {name}
                found |= {Crossing(module, source, name, reviewed) for source in others}
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
            assert cell.type in known, f"say how {cell.type} follows its clocks"


def find_crossings(platform, top, monkeypatch) -> set[Crossing]:
    """Elaborate a top for a board and find every crossing in it."""
    netlists = []
    build = rtlil._ir.build_netlist

    def keep(*arguments, **options):
        netlists.append(build(*arguments, **options))
        return netlists[-1]

    monkeypatch.setattr(rtlil._ir, "build_netlist", keep)
    platform.prepare(top, "top")
    (netlist,) = netlists
    return _Netlist(netlist).crossings()
