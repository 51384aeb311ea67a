from fractions import Fraction

import pytest

from keybeam_gateware.primitives.pll import ECP5_PLL, PllStage, plan_pll

EDGE_CLOCK = 312_500_000


@pytest.mark.parametrize("reference", [10_000_000, 12_000_000, 25_000_000, 100_000_000])
def test_plans_are_exact_and_within_limits(reference):
    plan = plan_pll(reference, EDGE_CLOCK)
    frequency = Fraction(reference)
    for stage in plan:
        assert stage.input_hz == frequency
        # f_out = f_in / M × N, worked out here again.
        frequency = frequency / stage.reference_divider * stage.feedback_divider
        assert ECP5_PLL.oscillator_hz[0] <= frequency * stage.output_divider
        assert frequency * stage.output_divider <= ECP5_PLL.oscillator_hz[1]
        assert stage.violations(ECP5_PLL) == []
    assert frequency == EDGE_CLOCK


def test_the_usual_reference_needs_one_loop():
    (stage,) = plan_pll(100_000_000, EDGE_CLOCK)
    assert (stage.reference_divider, stage.feedback_divider, stage.output_divider) == (8, 25, 2)


def test_impossible_frequency_is_refused():
    with pytest.raises(ValueError, match=r"312\.501 MHz from 100 MHz"):
        plan_pll(100_000_000, 312_501_000)


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        (PllStage(Fraction(12_000_000), 12, 625, 1), "phase detector at 1 MHz"),
        (PllStage(Fraction(12_000_000), 12, 625, 1), "feedback divider 625"),
        (PllStage(Fraction(100_000_000), 8, 25, 4), "oscillator at 1250 MHz"),
        (PllStage(Fraction(100_000_000), 8, 25, 1), "oscillator at 312.5 MHz"),
        (PllStage(Fraction(500_000_000), 40, 25, 2), "input at 500 MHz"),
        (PllStage(Fraction(100_000_000), 2, 9, 1), "output at 450 MHz"),
    ],
)
def test_violations_are_named(stage, complaint):
    assert any(complaint in sentence for sentence in stage.violations(ECP5_PLL))
