from dataclasses import replace
from fractions import Fraction

import pytest

from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES
from keybeam_boards.reports import Place
from keybeam_boards.rules import (
    EDGE_CLOCK_LIMIT_HZ,
    clock_violations,
    lane_violations,
    serial_violations,
)
from keybeam_boards.tops import Lane, SerialOutput
from keybeam_gateware.primitives.pll import PllStage, plan_pll

EDGE_CLOCK_HZ = 312_500_000
LAST_COLUMN = 126
LANES = [Lane("trigger_0", True, "LVDS"), Lane("random_0", False, "LVDS")]
PLACES = {
    LANES[0].pad_cell: Place(0, 11, "A"),
    LANES[1].pad_cell: Place(0, 11, "C"),
}


def test_a_good_plan_has_no_violation():
    assert clock_violations(plan_pll(12_000_000, EDGE_CLOCK_HZ), "8") == []
    assert clock_violations(plan_pll(100_000_000, EDGE_CLOCK_HZ), "7") == []


def test_the_slowest_grade_is_too_slow_by_less_than_a_percent():
    assert 0.99 * EDGE_CLOCK_HZ < EDGE_CLOCK_LIMIT_HZ["6"] < EDGE_CLOCK_HZ
    (sentence,) = clock_violations(plan_pll(100_000_000, EDGE_CLOCK_HZ), "6")
    assert "312.5 MHz is faster than the 312 MHz of speed grade -6" in sentence


def test_oscillator_out_of_range_is_found():
    stage = replace(plan_pll(100_000_000, EDGE_CLOCK_HZ)[0], output_divider=4)
    (sentence,) = clock_violations([stage], "8")
    assert "oscillator at 1250 MHz" in sentence


def test_loops_that_do_not_fit_together_are_found():
    first, last = plan_pll(12_000_000, EDGE_CLOCK_HZ)
    wrong = PllStage(Fraction(250_000_000), 20, 25, 2)
    assert wrong.output_hz == last.output_hz
    (sentence,) = clock_violations([first, wrong], "8")
    assert "expects 250 MHz from one that gives 300 MHz" in sentence


def test_good_lanes_have_no_violation():
    assert lane_violations(LANES, PLACES, LAST_COLUMN) == []


@pytest.mark.parametrize(
    ("lane", "place", "complaint"),
    [
        (LANES[0], Place(60, 0, "A"), "trigger_0 is on the top or the bottom"),
        (LANES[0], Place(126, 11, "A"), "random_0 and trigger_0 share an edge clock"),
        (LANES[0], Place(0, 11, "C"), "trigger_0 drives LVDS from pad C"),
        (Lane("trigger_0", True, "LVCMOS33"), Place(0, 11, "A"), "trigger_0 uses LVCMOS33"),
        (Lane("other_0", True, "LVDS"), Place(0, 11, "A"), "other_0 has no pad"),
    ],
)
def test_planted_faults_of_a_lane_are_found(lane, place, complaint):
    places = {**PLACES, LANES[0].pad_cell: place}
    lanes = [lane, LANES[1]]
    (sentence,) = lane_violations(lanes, places, LAST_COLUMN)
    assert complaint in " ".join(sentence.split())


@pytest.mark.parametrize("rate", SLOT_RATES.values(), ids=SLOT_RATES)
@pytest.mark.parametrize("board_hz", [12_000_000, 30_000_000])
def test_every_slot_rate_has_a_plan_within_limits(rate, board_hz):
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
        output = SerialOutput(rate.fabric_clock_hz * 16, rate.fabric_clock_hz)
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
    output = SerialOutput(Fraction(line_mhz * 10**6), Fraction(reference_mhz * 10**6))
    (sentence,) = serial_violations([output], device)
    assert complaint in sentence
