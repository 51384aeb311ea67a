from dataclasses import replace
from fractions import Fraction

import pytest

from keybeam_boards.pads import Place
from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES
from keybeam_boards.reports import WorstPath
from keybeam_boards.rules import (
    EDGE_CLOCK_LIMIT_HZ,
    clock_violations,
    gear_violations,
    lane_violations,
    line_span_violations,
    serial_violations,
    x1_lane_violations,
)
from keybeam_boards.tops import Lane, SerialOutput
from keybeam_gateware.primitives.pll import PllStage, plan_pll

EDGE_CLOCK_HZ = 312_500_000
LAST_COLUMN = 126
LANES = [
    Lane("trigger_0", True, "LVDS", "J_1:2 (ball A1)"),
    Lane("random_0", False, "LVDS", "J_1:4 (ball A2)"),
]
LINE_HZ = 625_000_000
PLACES = {
    LANES[0].pad_cell: Place(0, 11, "A"),
    LANES[1].pad_cell: Place(0, 11, "C"),
}


def test_a_good_plan_has_no_violation():
    assert clock_violations(plan_pll(12_000_000, EDGE_CLOCK_HZ), "8") == []
    assert clock_violations(plan_pll(100_000_000, EDGE_CLOCK_HZ), "7") == []


def test_the_slowest_grade_is_too_slow_by_less_than_a_percent():
    assert 0.99 * EDGE_CLOCK_HZ < EDGE_CLOCK_LIMIT_HZ["6"] < EDGE_CLOCK_HZ
    (one,) = clock_violations(plan_pll(100_000_000, EDGE_CLOCK_HZ), "6")
    assert "312.5 MHz is faster than the 312 MHz of speed grade -6" in one.sentence
    assert one.lab_only
    assert clock_violations(plan_pll(25_000_000, EDGE_CLOCK_HZ // 2), "6") == []


def test_far_beyond_the_data_sheet_is_not_even_for_the_lab():
    (one,) = clock_violations(plan_pll(100_000_000, 400_000_000), "7")
    assert not one.lab_only


def test_oscillator_out_of_range_is_found():
    stage = replace(plan_pll(100_000_000, EDGE_CLOCK_HZ)[0], output_divider=4)
    (one,) = clock_violations([stage], "8")
    assert "oscillator at 1250 MHz" in one.sentence


def test_loops_that_do_not_fit_together_are_found():
    first, last = plan_pll(12_000_000, EDGE_CLOCK_HZ)
    wrong = PllStage(Fraction(250_000_000), 20, 25, 2)
    assert wrong.output_hz == last.output_hz
    (one,) = clock_violations([first, wrong], "8")
    assert "expects 250 MHz from one that gives 300 MHz" in one.sentence


def test_good_lanes_have_no_violation():
    assert lane_violations(LANES, PLACES, LAST_COLUMN, LINE_HZ) == []


@pytest.mark.parametrize(
    ("lane", "place", "complaint"),
    [
        (LANES[0], Place(60, 0, "A"), "at J_1:2 (ball A1) is on the top or the bottom"),
        (LANES[0], Place(126, 11, "A"), "trigger_0 at J_1:2 (ball A1) share an edge clock"),
        (LANES[0], Place(0, 11, "C"), "at J_1:2 (ball A1) drives LVDS from pad C"),
        (
            Lane("trigger_0", True, "LVCMOS33", "J_1:2"),
            Place(0, 11, "C"),
            "trigger_0 at J_1:2 uses LVCMOS33, too slow for 625 Mb/s",
        ),
        (Lane("other_0", True, "LVDS", "J_9:9"), Place(0, 11, "A"), "other_0 at J_9:9 has no pad"),
    ],
)
def test_planted_faults_of_a_lane_are_found(lane, place, complaint):
    places = {**PLACES, LANES[0].pad_cell: place}
    lanes = [lane, LANES[1]]
    (one,) = lane_violations(lanes, places, LAST_COLUMN, LINE_HZ)
    assert complaint in one.sentence
    assert "(FPGA-" in one.sentence or "no pad" in one.sentence


@pytest.mark.parametrize(("letter", "violations"), [("A", 0), ("B", 1), ("C", 0), ("D", 1)])
def test_inputs_are_sampled_at_pads_a_and_c(letter, violations):
    lanes = [Lane("random_0", False, "LVCMOS33", "J_1:4")]
    places = {lanes[0].pad_cell: Place(0, 11, letter)}
    found = lane_violations(lanes, places, LAST_COLUMN, 312_500_000)
    assert len(found) == violations
    assert all("J_1:4 is sampled at pad" in one.sentence for one in found)


def test_single_ended_lanes_do_for_slower_slots():
    lanes = [Lane("trigger_0", True, "LVCMOS33", "J_1:2")]
    places = {lanes[0].pad_cell: Place(LAST_COLUMN, 11, "D")}
    assert lane_violations(lanes, places, LAST_COLUMN, 400_000_000) == []
    (one,) = lane_violations(lanes, places, LAST_COLUMN, 625_000_000)
    assert one.lab_only


def test_x1_lanes_may_be_anywhere_but_not_as_fast():
    lanes = [
        Lane("trigger_0", True, "LVCMOS33", "J_1:2"),
        Lane("random_0", False, "LVCMOS33", "J_1:4"),
        Lane("lost_0", False, "LVCMOS33", "J_1:6"),
    ]
    places = {lanes[0].pad_cell: Place(60, 0, "B"), lanes[1].pad_cell: Place(0, 11, "D")}
    assert x1_lane_violations(lanes[:2], places, 400_000_000) == []
    (one,) = x1_lane_violations(lanes, places, 312_500_000)
    assert one.sentence == "lane lost_0 at J_1:6 has no pad"
    pair = [replace(lanes[0], io_type="LVDS")]
    found = [one.sentence for one in x1_lane_violations(pair, places, 625_000_000)]
    assert len(found) == 2
    assert "drives LVDS from pad B" in found[0]
    assert "x1 cell, too slow for 625 Mb/s: it does 500 Mb/s" in found[1]


@pytest.mark.parametrize(
    ("source", "destination", "room_ns"),
    [
        ("posedge sync", "posedge eclk", 5.4),
        ("posedge eclk", "posedge sync", 5.4),
        ("posedge sync", "negedge eclk", 2.2),
        ("posedge reference", "posedge eclk", None),
    ],
)
def test_paths_between_the_clocks_of_x1_lanes_are_limited(source, destination, room_ns):
    def found(delay_ns):
        path = WorstPath(source, destination, delay_ns, 0.5, 1, ())
        return gear_violations([path], Fraction(156_250_000))

    if room_ns is None:
        assert found(100) == []
        return
    assert found(room_ns - 0.01) == []
    (one,) = found(room_ns + 0.01)
    assert f"from {source} to {destination} takes" in one.sentence
    assert not one.lab_only


def test_a_delay_line_must_be_longer_than_a_period():
    assert line_span_violations(True, "8", Fraction(156_250_000)) == []
    assert line_span_violations(False, "8", Fraction(78_125_000)) == []
    (one,) = line_span_violations(True, "8", Fraction(78_125_000))
    assert "span 10.176 ns" in one.sentence
    assert not one.lab_only


@pytest.mark.parametrize("rate", SLOT_RATES.values(), ids=SLOT_RATES)
@pytest.mark.parametrize("board_hz", [12_000_000, 25_000_000, 30_000_000, 100_000_000])
def test_every_slot_rate_has_a_plan_within_limits(rate, board_hz):
    if (board_hz, rate.slot_hz) == (12_000_000, 312_500_000):
        with pytest.raises(ValueError, match=r"make 156\.25 MHz from 12 MHz"):
            plan_pll(board_hz, rate.edge_clock_hz)
        return
    plan = plan_pll(rate.external_hz or board_hz, rate.edge_clock_hz)
    assert clock_violations(plan, "8") == []
    assert plan[-1].output_hz * 2 == rate.slot_hz == rate.fabric_clock_hz * 4
    # The host's serial line bears 2 % of error of the baud rate.
    baud = rate.fabric_clock_hz / rate.uart_divisor
    assert abs(baud / 3_000_000 - 1) < 0.02


def test_pulse_rates_are_slot_rates_over_powers_of_two():
    for slot_mhz, pulse_mhz in ((625, 625), (625, 312.5), (625, 156.25), (400, 100), (608, 76)):
        assert slot_mhz / pulse_mhz in (1, 2, 4, 8, 16)
        assert str(slot_mhz) in SLOT_RATES
    assert 640 / 40 == 16
    assert SLOT_RATES[DEFAULT_SLOT_RATE].slot_hz == 625_000_000


def test_a_serial_lane_of_each_slot_rate_is_within_limits():
    for rate in SLOT_RATES.values():
        output = SerialOutput(rate.fabric_clock_hz * 16, rate.fabric_clock_hz, "serdes_0")
        assert serial_violations([output], "LFE5UM-85F") == []


@pytest.mark.parametrize(
    ("line_mhz", "reference_mhz", "device", "complaint"),
    [
        (5000, 312.5, "LFE5UM-85F", "SERDES line at 5000 MHz is outside 270 MHz to 3200 MHz"),
        (200, 100, "LFE5UM5G-85F", "SERDES line at 200 MHz"),
        (1600, 400, "LFE5UM5G-85F", "SERDES reference at 400 MHz"),
        (2500, 156.25, "LFE5U-85F", "LFE5U-85F has no SERDES"),
    ],
)
def test_planted_faults_of_a_serial_lane_are_found(line_mhz, reference_mhz, device, complaint):
    hertz = (Fraction(mhz * 10**6) for mhz in (line_mhz, reference_mhz))
    (one,) = serial_violations([SerialOutput(*hertz, "serdes_0")], device)
    assert complaint in one.sentence
    assert "serdes_0" in one.sentence
