"""Delay lines: black boxes become cells before placement, and are found again after routing.

What synthesis must not see of a delay line, and where each of its cells must be, is said by
`keybeam_gateware.primitives.ecp5.delay_line`. A line whose carry left its row, or one of whose
flip-flops is not beside its tap, would still make time stamps, but wrong ones; so the net list that
nextpnr writes after routing is checked.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keybeam_gateware.primitives.ecp5 import SUBSTITUTES
from keybeam_gateware.primitives.ecp5.delay_line import SLICES_PER_TILE, TAPS_PER_SLICE

__all__ = [
    "DelayLineResult",
    "delay_line_results",
    "delay_line_violations",
    "substitute_delay_cells",
]

_BEL = re.compile(r"X(?P<column>\d+)/Y(?P<row>\d+)/SLICE(?P<slice>[A-D])\.(?:K|FF)(?P<half>[01])")
# Wires of the carry between slices and between tiles (Project Trellis, tile PLC2).
_CARRY_WIRE = re.compile(r"X\d+/Y\d+/(FC[IO][A-D]?1?(_SLICE)?|HFIE0000)")
_LINE = re.compile(r"(?:.*\.)?delay_line_(?P<name>\w+)\.")
_HALVES_PER_TILE = SLICES_PER_TILE * TAPS_PER_SLICE


@dataclass(frozen=True)
class DelayLineResult:
    """Where a delay line is."""

    name: str
    """Name of the line: channel and number."""
    row: int
    """Row of the part."""
    columns: tuple[int, int]
    """Its first and its last column."""
    cells: int
    """Its taps, their flip-flops, and its entry."""
    as_asked: bool
    """Every cell is where it was asked for, and the carry goes from each to the next."""


def substitute_delay_cells(netlist: dict[str, Any]) -> dict[str, str]:
    """Put the part's cells in the place of the black boxes of delay lines and of shared pads.

    Parameters
    ----------
    netlist : dict
        A net list after technology mapping, as Yosys writes it in JSON; changed in place.

    Returns
    -------
    dict of str to str
        Name of each such cell and the place asked for, as ``X10/Y40/SLICEA.K0``; empty if the
        design has no delay line.
    """
    asked = {}
    for module in netlist["modules"].values():
        for name, cell in module["cells"].items():
            substitute = SUBSTITUTES.get(cell["type"])
            if substitute is not None:
                cell["type"] = substitute.cell
                cell["parameters"] = dict(substitute.parameters)
                asked[name] = cell["attributes"]["BEL"]
    return asked


def delay_line_violations(routed: Mapping[str, Any], asked: Mapping[str, str]) -> list[str]:
    """Check that every delay line is where it was asked for: contiguous, in order, in one row.

    Parameters
    ----------
    routed : mapping
        The net list that nextpnr writes after routing, read from JSON.
    asked : mapping of str to str
        Places that were asked for, from `substitute_delay_cells`.

    Returns
    -------
    list of str
        One sentence per violation.
    """
    cells, nets = {}, {}
    for module in routed["modules"].values():
        cells |= module["cells"]
        nets |= {net["bits"][0]: net for net in module["netnames"].values() if net["bits"]}
    found = []
    for name, place in asked.items():
        cell = cells.get(name)
        if cell is None:
            found.append(f"delay cell {name} is gone")
        elif _bel(cell) != place:
            found.append(f"delay cell {name} is at {_bel(cell)} instead of {place}")
    line_cells = {name: cells[name] for name in asked if name in cells}
    takers = {
        (port, bit): name
        for name, cell in line_cells.items()
        for port in ("FCI", "DI")
        for bit in cell["connections"].get(port, ())
    }
    for name, cell in line_cells.items():
        found += _step_violations(name, cell, line_cells, takers, nets)
    return found


def delay_line_results(
    routed: Mapping[str, Any], asked: Mapping[str, str], violations: Iterable[str]
) -> list[DelayLineResult]:
    """Say where the delay lines are.

    Parameters
    ----------
    routed : mapping
        The net list that nextpnr writes after routing, read from JSON.
    asked : mapping of str to str
        Places that were asked for, from `substitute_delay_cells`.
    violations : iterable of str
        What `delay_line_violations` found.

    Returns
    -------
    list of DelayLineResult
        One for each line, by its name.
    """
    sentences = list(violations)
    lines: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for module in routed["modules"].values():
        for cell_name in asked.keys() & module["cells"].keys():
            line = _LINE.match(cell_name)
            place = _BEL.fullmatch(_bel(module["cells"][cell_name]))
            if line and place:
                lines[line["name"]].append((int(place["row"]), int(place["column"])))
    return [
        DelayLineResult(
            name=name,
            row=places[0][0],
            columns=(min(column for _, column in places), max(column for _, column in places)),
            cells=len(places),
            as_asked=not any(f"delay_line_{name}." in sentence for sentence in sentences),
        )
        for name, places in sorted(lines.items())
    ]


def _bel(cell: Mapping[str, Any]) -> str:
    return str(cell["attributes"].get("NEXTPNR_BEL", "no place"))


def _step_violations(
    name: str,
    cell: Mapping[str, Any],
    cells: Mapping[str, Mapping[str, Any]],
    takers: Mapping[tuple[str, Any], str],
    nets: Mapping[Any, Mapping[str, Any]],
) -> list[str]:
    """Check what a cell hands on: the carry to the next half slice, a tap to its flip-flop."""
    found = []
    for output, port, distance in (("FCO", "FCI", 1), ("F", "DI", 0)):
        for bit in cell["connections"].get(output, ()):
            taker = takers.get((port, bit))
            if taker is None:
                found.append(f"{output} of delay cell {name} goes to no cell of the line")
                continue
            here, there = _position(cell), _position(cells[taker])
            if here is None or there is None or there != (here[0], here[1] + distance):
                found.append(
                    f"delay cells {name} and {taker} are at {_bel(cell)} and "
                    f"{_bel(cells[taker])}, which do not follow each other"
                )
            if output == "FCO":
                found += _detours(name, nets[bit])
    return found


def _position(cell: Mapping[str, Any]) -> tuple[int, int] | None:
    """Row, and number of the half slice from the left edge of the part; None if in no slice."""
    match = _BEL.fullmatch(_bel(cell))
    if match is None:
        return None
    half = "ABCD".index(match["slice"]) * TAPS_PER_SLICE + int(match["half"])
    return int(match["row"]), int(match["column"]) * _HALVES_PER_TILE + half


def _detours(name: str, net: Mapping[str, Any]) -> list[str]:
    """Find wires other than those of the carry on the way from one cell to the next."""
    # Wire, the arc that drives it, and how firmly; again and again.
    wires = net["attributes"].get("ROUTING", "").split(";")[::3]
    return [
        f"the carry behind delay cell {name} takes the wire {wire}"
        for wire in wires
        if wire.strip() and not _CARRY_WIRE.fullmatch(wire.strip())
    ]
