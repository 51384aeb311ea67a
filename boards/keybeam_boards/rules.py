"""Limits of the ECP5 that nextpnr does not check.

The figures are those of Lattice's FPGA-DS-02012 (data sheet), FPGA-TN-02035
(high-speed I/O), FPGA-TN-02032 (sysI/O) and FPGA-TN-02206 (SERDES).
"""

import itertools
from collections.abc import Iterable, Mapping
from fractions import Fraction

from keybeam_boards.reports import Place
from keybeam_boards.tops import Lane, SerialOutput
from keybeam_gateware.primitives.pll import ECP5_PLL, PllStage

__all__ = [
    "EDGE_CLOCK_LIMIT_HZ",
    "SERIAL_RATE_HZ",
    "SERIAL_REFERENCE_HZ",
    "clock_violations",
    "lane_violations",
    "serial_violations",
]

EDGE_CLOCK_LIMIT_HZ = {"8": 400_000_000, "7": 350_000_000, "6": 312_000_000}
"""Fastest edge clock of the x2 interfaces by speed grade: half of 800, 700 and 624 Mb/s."""

SERIAL_RATE_HZ = {
    "LFE5UM": (270_000_000, 3_200_000_000),
    "LFE5UM5G": (270_000_000, 5_000_000_000),
}
"""Slowest and fastest line of a SERDES by family; other families have none."""

SERIAL_REFERENCE_HZ = (50_000_000, 320_000_000)
"""Slowest and fastest reference clock of a SERDES."""

_FAST_IO_TYPES = ("LVDS",)


def clock_violations(plan: Iterable[PllStage], speed: str) -> list[str]:
    """Check the loops and the edge clock.

    Parameters
    ----------
    plan : iterable of PllStage
        Loops in a row; the last one makes the edge clock.
    speed : str
        Speed grade of the part, ``"6"`` to ``"8"``.

    Returns
    -------
    list of str
        One sentence per violation.
    """
    stages = list(plan)
    found = [sentence for stage in stages for sentence in stage.violations(ECP5_PLL)]
    for earlier, later in itertools.pairwise(stages):
        if earlier.output_hz != later.input_hz:
            found.append(
                f"a PLL expects {_mhz(later.input_hz)} from one that gives "
                f"{_mhz(earlier.output_hz)}"
            )
    limit = EDGE_CLOCK_LIMIT_HZ[speed]
    if stages[-1].output_hz > limit:
        found.append(
            f"edge clock of {_mhz(stages[-1].output_hz)} is faster than the {_mhz(limit)} "
            f"of speed grade -{speed}"
        )
    return found


def lane_violations(
    lanes: Iterable[Lane], places: Mapping[str, Place], last_column: int
) -> list[str]:
    """Check the pads of the lanes.

    Parameters
    ----------
    lanes : iterable of Lane
        All lanes that share the edge clock.
    places : mapping of str to Place
        Where the pads' cells were put.
    last_column : int
        Column of the right side of the part.

    Returns
    -------
    list of str
        One sentence per violation.
    """
    found, sides = [], {}
    for lane in lanes:
        if lane.io_type not in _FAST_IO_TYPES:
            found.append(
                f"lane {lane.name} uses {lane.io_type}, too slow for 625 Mb/s: "
                f"use {', '.join(_FAST_IO_TYPES)}"
            )
        place = places.get(lane.pad_cell)
        if place is None:
            found.append(f"lane {lane.name} has no pad")
            continue
        side = {0: "left", last_column: "right"}.get(place.column)
        if side is None:
            found.append(
                f"lane {lane.name} is on the top or the bottom of the part, where no x2 cells are"
            )
        else:
            sides.setdefault(side, lane.name)
        if lane.output and place.letter != "A":
            found.append(
                f"lane {lane.name} drives LVDS from pad {place.letter}, and only pads A can"
            )
    if len(sides) > 1:
        found.append(
            f"lanes {sides['left']} and {sides['right']} share an edge clock and are on "
            "different sides of the part"
        )
    return found


def serial_violations(outputs: Iterable[SerialOutput], device: str) -> list[str]:
    """Check the rates of the SERDES.

    Parameters
    ----------
    outputs : iterable of SerialOutput
        Lines in use.
    device : str
        The part, as ``LFE5UM5G-85F``.

    Returns
    -------
    list of str
        One sentence per violation.
    """
    found = []
    family = device.partition("-")[0]
    for output in outputs:
        if family not in SERIAL_RATE_HZ:
            found.append(f"{device} has no SERDES")
            continue
        for what, frequency, (low, high) in (
            ("line", output.line_hz, SERIAL_RATE_HZ[family]),
            ("reference", output.reference_hz, SERIAL_REFERENCE_HZ),
        ):
            if not low <= frequency <= high:
                found.append(
                    f"SERDES {what} at {_mhz(frequency)} is outside {_mhz(low)} to {_mhz(high)}"
                )
    return found


def _mhz(frequency: Fraction | int) -> str:
    return f"{float(frequency) / 1e6:g} MHz"
