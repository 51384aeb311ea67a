import numpy as np
import pytest
from scipy import stats

from keybeam.bringup.checks import check, poisson_bounds, proportion_bounds
from keybeam.bringup.steps.detectors import afterpulse_bounds, intervals_of
from keybeam.protocol.records import FINE_PS


@pytest.mark.parametrize(("count", "total"), [(0, 10), (3, 40), (40, 40), (0, 0)])
def test_bounds_of_a_proportion_are_those_of_the_exact_test(count, total):
    lower, upper = proportion_bounds(count, total)
    if total:
        for alternative, side, value in (("greater", "low", lower), ("less", "high", upper)):
            exact = stats.binomtest(count, total, alternative=alternative)
            assert value == pytest.approx(getattr(exact.proportion_ci(0.95), side))
    else:
        assert (lower, upper) == (0, 1)


def test_no_error_in_n_bounds_the_rate_by_three_over_n():
    assert proportion_bounds(0, 10_000)[1] == pytest.approx(3e-4, rel=2e-3)


@pytest.mark.parametrize("count", [0, 1, 17])
def test_bounds_of_a_mean_leave_five_per_cent_on_each_side(count):
    lower, upper = poisson_bounds(count)
    assert stats.poisson.cdf(count, upper) == pytest.approx(0.05)
    assert lower == 0 if count == 0 else stats.poisson.sf(count - 1, lower) == pytest.approx(0.05)


def test_a_hint_stands_only_where_something_failed():
    assert check("a", True, "m", "l", "do this").hint == ""
    assert check("a", False, "m", "l", "do this").hint == "do this"


def clicks(rate_hz, dead_ps, afterpulses, count, seed=1):
    """Times of a detector in fine steps, made click by click."""
    generator = np.random.default_rng(seed)
    times, time = [], 0.0
    for _ in range(count):
        wait = generator.exponential(1e12 / rate_hz)
        if generator.random() < afterpulses:
            wait = min(wait, generator.exponential(50_000.0))
        time += dead_ps + wait
        times.append(time)
    return np.rint(np.array(times) / FINE_PS).astype(np.int64)


@pytest.mark.parametrize("afterpulses", [0.0, 0.04])
def test_dead_time_and_afterpulses_are_found(afterpulses):
    found = intervals_of(clicks(1e5, 45_000, afterpulses, 20_000))
    assert 45_000 <= found.dead_ps < 47_000
    assert found.rate_hz == pytest.approx(1e5, rel=0.05)
    part = (found.within - found.expected) / found.intervals_ps.size
    # The window of 150 ns takes 95 % of them.
    assert part == pytest.approx(0.95 * afterpulses, abs=0.004)


@pytest.mark.parametrize("afterpulses", [0.0, 0.3])
def test_bounds_of_afterpulses_hold_for_a_few_clicks_of_a_noisy_detector(afterpulses):
    found = [
        afterpulse_bounds(intervals_of(clicks(1e6, 45_000, afterpulses, 150, seed)))
        for seed in range(400)
    ]
    # The window of 150 ns takes 95 % of them.
    within = 0.95 * afterpulses
    above = sum(low > within for _, low, _ in found)
    below = sum(high < within for _, _, high in found)
    assert above <= 0.05 * len(found)
    assert below <= 0.05 * len(found)
    if afterpulses:
        assert all(low > 0.05 for _, low, _ in found)


def test_intervals_over_a_gap_are_left_out():
    times = np.array([0, 1_000, 2_000, 500_000, 501_000])
    found = intervals_of(times, np.array([2_000]))
    np.testing.assert_allclose(found.intervals_ps, np.array([1000, 1000, 1000]) * FINE_PS)
    assert intervals_of(times[:1]).dead_ps == np.inf
