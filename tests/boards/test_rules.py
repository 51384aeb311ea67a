from dataclasses import replace
from fractions import Fraction

import pytest

from keybeam_boards.reports import Place
from keybeam_boards.rules import EDGE_CLOCK_LIMIT_HZ, clock_violations, lane_violations
from keybeam_boards.tops import EDGE_CLOCK_HZ, Lane
from keybeam_gateware.primitives.pll import PllStage, plan_pll

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
