import numpy as np
import pytest

from keybeam.bringup.edges import (
    PERIOD_PS,
    PERIOD_SLOTS,
    SAMPLED_RMS_PS,
    SIGNATURES,
    clock_ratio,
    fit_lane,
    line_residuals,
    signature_of,
)
from keybeam.protocol.numbers import FRAME_DURATION_PS, SLOT_PS
from keybeam.protocol.records import FINE_PS

FRAMES = 8
LINE_PHASE_PS = 333.0


class Bench:
    """Edges of a lane and of the downlink, as a receiver with a clock of its own times them."""

    def __init__(self, seed, ppm, noise_ps, sampled):
        self.generator = np.random.default_rng(seed)
        self.ratio, self.noise_ps, self.sampled = 1 + ppm * 1e-6, noise_ps, sampled
        self.start_ps = self.generator.uniform(0, 1e6)

    def timed(self, times_ps):
        seen = times_ps * self.ratio + self.start_ps
        seen = seen + self.generator.normal(0, self.noise_ps, seen.size)
        if self.sampled:
            seen = np.floor(seen / SLOT_PS) * SLOT_PS
        return np.sort(np.rint(seen / FINE_PS).astype(np.int64))

    def line(self, count):
        bits = self.generator.choice(FRAMES << 14, count, replace=False)
        return self.timed(6400.0 * np.sort(bits) + LINE_PHASE_PS)

    def lane(self, lane, delay_ps, count):
        periods = self.generator.integers(0, FRAMES << 12, count) * PERIOD_PS
        rises = self.generator.choice(SIGNATURES[lane], count) * SLOT_PS
        return self.timed(periods + rises + delay_ps)

    def syncs(self):
        counters = np.arange(FRAMES, dtype=np.uint64)
        return self.timed(counters.astype(float) * FRAME_DURATION_PS + LINE_PHASE_PS), counters + 7


def test_patterns_of_the_lanes_differ_wherever_one_begins_and_fit_their_period():
    seen = set()
    for slots in SIGNATURES:
        gaps = np.diff([*slots, slots[0] + PERIOD_SLOTS])
        # Two slots high, and low for as long at least.
        assert gaps.min() >= 4
        turns = [tuple(np.roll(gaps, turn)) for turn in range(gaps.size)]
        assert not seen & set(turns)
        seen |= set(turns)


@pytest.mark.parametrize("lane", range(len(SIGNATURES)))
@pytest.mark.parametrize("ppm", [-80.0, 20.0])
def test_sampled_lane_is_told_and_its_delay_found_far_finer_than_its_bins(lane, ppm):
    bench = Bench(lane, ppm, 10.0, sampled=True)
    delay = bench.generator.uniform(-6000, 6000)
    fit = fit_lane(bench.lane(lane, delay, 250), bench.line(250), *bench.syncs(), sampled=True)
    assert fit.lane == lane
    assert (fit.ratio - bench.ratio) * 1e6 == pytest.approx(0, abs=0.3)
    assert fit.delay_ps == pytest.approx(delay - LINE_PHASE_PS, abs=60)
    assert fit.rms_ps == pytest.approx(SAMPLED_RMS_PS, rel=0.1)


def test_timed_lane_is_found_to_picoseconds():
    bench = Bench(1, 20.0, 20.0, sampled=False)
    fit = fit_lane(bench.lane(3, 1234.5, 400), bench.line(400), *bench.syncs(), sampled=False)
    assert fit.lane == 3
    assert fit.delay_ps == pytest.approx(1234.5 - LINE_PHASE_PS, abs=6)
    assert fit.rms_ps == pytest.approx(20, rel=0.15)


def test_strange_edges_are_no_lane():
    times = np.random.default_rng(5).uniform(0, 1e6, 300)
    assert signature_of(times) is None
    assert signature_of(np.empty(0)) is None
    # Half of a pattern is not the pattern.
    assert signature_of(np.zeros(100))[0] == SIGNATURES.index((0,))


def test_some_strange_edges_do_not_hide_a_lane():
    bench = Bench(2, 20.0, 10.0, sampled=True)
    strange = np.rint(bench.generator.uniform(0, FRAMES * FRAME_DURATION_PS, 10) / FINE_PS)
    edges = np.sort(np.concatenate([bench.lane(2, 500.0, 200), strange.astype(np.int64)]))
    fit = fit_lane(edges, bench.line(200), *bench.syncs(), sampled=True)
    assert fit.lane == 2
    assert fit.delay_ps == pytest.approx(500 - LINE_PHASE_PS, abs=300)


def test_residuals_of_the_line_have_the_noise_of_single_times():
    bench = Bench(6, -15.0, 25.0, sampled=False)
    left, ratio = line_residuals(bench.line(500), *clock_ratio(*bench.syncs()), sampled=False)
    assert left.std() == pytest.approx(25, rel=0.1)
    assert (ratio - bench.ratio) * 1e6 == pytest.approx(0, abs=0.05)
