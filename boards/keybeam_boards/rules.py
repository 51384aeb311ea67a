"""Limits of the ECP5 that nextpnr does not check.

The figures are those of Lattice's FPGA-DS-02012 (data sheet), FPGA-TN-02035
(high-speed I/O), FPGA-TN-02032 (sysI/O) and FPGA-TN-02206 (SERDES).
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from keybeam.protocol.tagger import DELAY_LINE_SLICES
from keybeam.tagger.line_model import LINE_TIMINGS
from keybeam_boards.pads import Place
from keybeam_boards.reports import WorstPath
from keybeam_boards.tops import Lane, SerialOutput
from keybeam_gateware.primitives.pll import ECP5_PLL, PllStage

__all__ = [
    "EDGE_CLOCK_LIMIT_HZ",
    "GEAR_MARGIN_NS",
    "IO_RATE_HZ",
    "LAB_MARGIN",
    "SERIAL_RATE_HZ",
    "SERIAL_REFERENCE_HZ",
    "X1_RATE_HZ",
    "Violation",
    "clock_violations",
    "gear_violations",
    "lane_violations",
    "line_span_violations",
    "serial_violations",
    "x1_lane_violations",
]

EDGE_CLOCK_LIMIT_HZ = {"8": 400_000_000, "7": 350_000_000, "6": 312_000_000}
"""Fastest edge clock of the x2 interfaces by speed grade: half of 800, 700 and 624 Mb/s."""

IO_RATE_HZ = {"LVDS": 800_000_000, "LVCMOS33": 400_000_000, "LVCMOS25": 400_000_000}
"""Most bits a second of a buffer: twice the 400 and 200 MHz that it can be toggled with."""

X1_RATE_HZ = 500_000_000
"""Most bits a second of the x1 cells, of all speed grades (FPGA-DS-02012, generic DDRX1)."""

GEAR_MARGIN_NS = 1.0
"""What two clocks of one loop may be apart where they arrive, generously; nextpnr does not say."""

LAB_MARGIN = Fraction(101, 100)
"""How far beyond its limit the edge clock may be for a part on the bench."""

SERIAL_RATE_HZ = {
    "LFE5UM": (270_000_000, 3_200_000_000),
    "LFE5UM5G": (270_000_000, 5_000_000_000),
}
"""Slowest and fastest line of a SERDES by family; other families have none."""

SERIAL_REFERENCE_HZ = (50_000_000, 320_000_000)
"""Slowest and fastest reference clock of a SERDES."""


@dataclass(frozen=True)
class Violation:
    """A limit of the part that is not kept."""

    sentence: str
    """What is wrong, at which pin, and the rule with its source."""
    lab_only: bool = False
    """A part on the bench, at room temperature, may do it all the same."""


def clock_violations(plan: Iterable[PllStage], speed: str) -> list[Violation]:
    """Check the loops and the edge clock.

    Parameters
    ----------
    plan : iterable of PllStage
        Loops in a row; the last one makes the edge clock.
    speed : str
        Speed grade of the part, ``"6"`` to ``"8"``.

    Returns
    -------
    list of Violation
    """
    stages = list(plan)
    found = [
        Violation(f"{sentence} (FPGA-DS-02012, sysCLOCK PLL timing)")
        for stage in stages
        for sentence in stage.violations(ECP5_PLL)
    ]
    for earlier, later in itertools.pairwise(stages):
        if earlier.output_hz != later.input_hz:
            found.append(
                Violation(
                    f"a PLL expects {_mhz(later.input_hz)} from one that gives "
                    f"{_mhz(earlier.output_hz)}"
                )
            )
    limit = EDGE_CLOCK_LIMIT_HZ[speed]
    if stages[-1].output_hz > limit:
        found.append(
            Violation(
                f"edge clock of {_mhz(stages[-1].output_hz)} is faster than the {_mhz(limit)} "
                f"of speed grade -{speed} (FPGA-DS-02012, generic DDRX2)",
                lab_only=stages[-1].output_hz < limit * LAB_MARGIN,
            )
        )
    return found


def lane_violations(
    lanes: Iterable[Lane], places: Mapping[str, Place], last_column: int, line_hz: Fraction | int
) -> list[Violation]:
    """Check the pads of the lanes.

    Parameters
    ----------
    lanes : iterable of Lane
        All lanes that share the edge clock.
    places : mapping of str to Place
        Where the pads' cells were put.
    last_column : int
        Column of the right side of the part.
    line_hz : Fraction or int
        Bits a second of each lane.

    Returns
    -------
    list of Violation
    """
    found: list[Violation] = []
    sides: dict[str, Lane] = {}
    for lane in lanes:
        where, place = _where(lane), places.get(lane.pad_cell)
        found += _buffer_violations(lane, place, line_hz)
        if place is None:
            continue
        side = {0: "left", last_column: "right"}.get(place.column)
        if side is None:
            found.append(
                Violation(
                    f"{where} is on the top or the bottom of the part, where no x2 cells are "
                    "(FPGA-TN-02035, high-speed DDR interfaces)"
                )
            )
        else:
            sides.setdefault(side, lane)
        if not lane.output and place.letter not in "AC":
            found.append(
                Violation(
                    f"{where} is sampled at pad {place.letter}, and only pads A and C have the x2 "
                    "input cell with word alignment (Project Trellis, IOLOGIC)"
                )
            )
    if len(sides) > 1:
        left, right = sides["left"], sides["right"]
        found.append(
            Violation(
                f"lanes {left.name} at {left.pins} and {right.name} at {right.pins} share an edge "
                "clock and are on different sides of the part (FPGA-TN-02035, edge clocks)"
            )
        )
    return found


def x1_lane_violations(
    lanes: Iterable[Lane], places: Mapping[str, Place], line_hz: Fraction | int
) -> list[Violation]:
    """Check the pads of lanes that go through x1 cells, which are on every side of the part.

    Parameters
    ----------
    lanes : iterable of Lane
        The lanes.
    places : mapping of str to Place
        Where the pads' cells were put.
    line_hz : Fraction or int
        Bits a second of each lane.

    Returns
    -------
    list of Violation
    """
    found: list[Violation] = []
    for lane in lanes:
        found += _buffer_violations(lane, places.get(lane.pad_cell), line_hz)
        if line_hz > X1_RATE_HZ:
            found.append(
                Violation(
                    f"{_where(lane)} goes through an x1 cell, too slow for "
                    f"{float(line_hz) / 1e6:g} Mb/s: it does {X1_RATE_HZ / 1e6:g} Mb/s "
                    "(FPGA-DS-02012, generic DDRX1)"
                )
            )
    return found


def _where(lane: Lane) -> str:
    return f"lane {lane.name} at {lane.pins}"


def _buffer_violations(
    lane: Lane, place: Place | None, line_hz: Fraction | int
) -> Iterable[Violation]:
    """Check what holds for a lane's buffer on any side of the part."""
    where, fastest = _where(lane), IO_RATE_HZ.get(lane.io_type, 0)
    if line_hz > fastest:
        yield Violation(
            f"{where} uses {lane.io_type}, too slow for {float(line_hz) / 1e6:g} Mb/s: it "
            f"does {fastest / 1e6:g} Mb/s (FPGA-DS-02012, maximum I/O buffer speed)",
            lab_only=bool(fastest),
        )
    if place is None:
        yield Violation(f"{where} has no pad")
    elif lane.output and lane.io_type == "LVDS" and place.letter != "A":
        yield Violation(
            f"{where} drives LVDS from pad {place.letter}, and only pads A can "
            "(FPGA-TN-02032, true LVDS)"
        )


def gear_violations(paths: Iterable[WorstPath], edge_clock_hz: Fraction) -> list[Violation]:
    """Check the paths between the two clocks of x1 lanes, which nextpnr reports but does not limit.

    Words are taken a period of the edge clock after they changed; what tells the middle of a
    word, half a period after.

    Parameters
    ----------
    paths : iterable of WorstPath
        The slowest path between every two clocks.
    edge_clock_hz : Fraction
        Frequency of the edge clock.

    Returns
    -------
    list of Violation
    """
    period_ns = float(10**9 / edge_clock_hz)
    room_ns = {
        ("posedge sync", "posedge eclk"): period_ns - GEAR_MARGIN_NS,
        ("posedge eclk", "posedge sync"): period_ns - GEAR_MARGIN_NS,
        ("posedge sync", "negedge eclk"): period_ns / 2 - GEAR_MARGIN_NS,
    }
    return [
        Violation(
            f"the path from {path.source} to {path.destination} takes {path.delay_ns:.2f} ns of "
            f"{room_ns[path.source, path.destination]:.2f} ns (keybeam_boards.rules)"
        )
        for path in paths
        if path.delay_ns > room_ns.get((path.source, path.destination), float("inf"))
    ]


def line_span_violations(has_lines: bool, speed: str, fabric_hz: Fraction) -> list[Violation]:
    """Check that a delay line is longer than the time from one picture to the next.

    Parameters
    ----------
    has_lines : bool
        There are delay lines.
    speed : str
        Speed grade of the part.
    fabric_hz : Fraction
        Pictures a second.

    Returns
    -------
    list of Violation
    """
    span_ps = LINE_TIMINGS[speed].carry_ps * DELAY_LINE_SLICES
    period_ps = float(10**12 / fabric_hz)
    if not has_lines or span_ps > period_ps:
        return []
    return [
        Violation(
            f"delay lines span {span_ps / 1e3:g} ns and miss what comes in the rest of a period of "
            f"{period_ps / 1e3:g} ns: build with --option lines=0"
        )
    ]


def serial_violations(outputs: Iterable[SerialOutput], device: str) -> list[Violation]:
    """Check the rates of the SERDES.

    Parameters
    ----------
    outputs : iterable of SerialOutput
        Lines in use.
    device : str
        The part, as ``LFE5UM5G-85F``.

    Returns
    -------
    list of Violation
    """
    found = []
    family = device.partition("-")[0]
    for output in outputs:
        if family not in SERIAL_RATE_HZ:
            found.append(Violation(f"{output.pins}: {device} has no SERDES (FPGA-DS-02012)"))
            continue
        for what, frequency, (low, high) in (
            ("line", output.line_hz, SERIAL_RATE_HZ[family]),
            ("reference", output.reference_hz, SERIAL_REFERENCE_HZ),
        ):
            if not low <= frequency <= high:
                found.append(
                    Violation(
                        f"{output.pins}: SERDES {what} at {_mhz(frequency)} is outside "
                        f"{_mhz(low)} to {_mhz(high)} (FPGA-TN-02206)"
                    )
                )
    return found


def _mhz(frequency: Fraction | int) -> str:
    return f"{float(frequency) / 1e6:g} MHz"
