import numpy as np
import pytest

from keybeam.protocol.numbers import FRAME_BITS
from keybeam.protocol.records import FINE_PS
from keybeam.timing import SYNC_DTYPE, refine_sync_times

BIT_PS = 6400
SAMPLE_PS = 1600
START_PS = 3_000_000_000


def frame_starts(frames, rate):
    return START_PS + np.arange(frames) * FRAME_BITS * BIT_PS * (1 + rate)


def make_syncs(starts, rng):
    """Words as the receiver times them: the sample after their beginning, and some jitter."""
    syncs = np.zeros(len(starts), SYNC_DTYPE)
    samples = np.ceil((starts + rng.normal(0, 150, len(starts))) / SAMPLE_PS)
    syncs["time"] = np.rint(samples * SAMPLE_PS / FINE_PS)
    syncs["counter"] = np.arange(len(starts))
    syncs["valid"] = True
    return syncs


def make_edges(frames, rate, rng, *, divider, random_ps, jitter_ps=0.0):
    """Times of every so many rising edges of random bits."""
    bits = rng.integers(0, 2, frames * FRAME_BITS)
    rising = np.flatnonzero(np.diff(bits) > 0)[::divider] + 1
    times = START_PS + rising * BIT_PS * (1 + rate)
    times = times + jitter_ps * np.sin(2e-12 * np.pi * 10e6 * times)
    times = times + rng.normal(0, random_ps, len(times))
    return np.sort(np.rint(times / FINE_PS).astype(np.int64))


def errors_ps(refined, starts):
    return refined.syncs["time"] * FINE_PS - starts


@pytest.mark.parametrize("rate", [-100e-6, 0.0, 23.4e-6])
def test_words_are_timed_by_the_edges_around_them(rate):
    rng = np.random.default_rng(1)
    frames = 60
    starts = frame_starts(frames, rate)
    edges = make_edges(frames, rate, rng, divider=64, random_ps=150)
    refined = refine_sync_times(make_syncs(starts, rng), edges)
    # The first word has edges on one side only.
    inner = errors_ps(refined, starts)[1:-1]
    assert np.all(refined.edges[1:-1] > 50)
    assert inner.std() < 42
    assert inner.std() == pytest.approx(150 / np.sqrt(64), rel=0.3)
    assert np.median(refined.error_ps) == pytest.approx(150 / np.sqrt(64), rel=0.2)
    assert abs(inner.mean()) < 4 * 19 / np.sqrt(frames)


def test_the_largest_sinusoidal_jitter_averages_out_over_all_edges():
    rng = np.random.default_rng(2)
    starts = frame_starts(12, 10e-6)
    edges = make_edges(12, 10e-6, rng, divider=1, random_ps=64, jitter_ps=0.35 / 2 * BIT_PS)
    refined = refine_sync_times(make_syncs(starts, rng), edges)
    assert errors_ps(refined, starts)[1:-1].std() < 20


def test_edges_that_do_not_belong_there_are_left_out():
    rng = np.random.default_rng(3)
    starts = frame_starts(40, 0)
    edges = make_edges(40, 0, rng, divider=64, random_ps=50)
    wrong = rng.integers(edges[0], edges[-1], edges.size // 20)
    refined = refine_sync_times(make_syncs(starts, rng), np.sort(np.concatenate([edges, wrong])))
    assert errors_ps(refined, starts)[1:-1].std() < 15


def test_flywheel_words_and_those_without_edges_keep_their_time():
    rng = np.random.default_rng(4)
    starts = frame_starts(30, 0)
    syncs = make_syncs(starts, rng)
    syncs["flywheel"][10] = True
    syncs["time"][10] += 123_456
    edges = make_edges(30, 0, rng, divider=64, random_ps=50)
    quiet = (edges > syncs["time"][19]) & (edges < syncs["time"][22])
    refined = refine_sync_times(syncs, edges[~quiet])
    for place in (10, 20, 21):
        assert refined.syncs["time"][place] == syncs["time"][place]
        assert np.isnan(refined.error_ps[place])
        assert refined.edges[place] == 0
    others = np.delete(errors_ps(refined, starts), [0, 10, 20, 21, 29])
    assert np.abs(others).max() < 60


@pytest.mark.parametrize(("words", "edges"), [(0, 10), (1, 10), (5, 0)])
def test_nothing_to_fit_changes_nothing(words, edges):
    rng = np.random.default_rng(5)
    syncs = make_syncs(frame_starts(words, 0), rng)
    refined = refine_sync_times(syncs, np.arange(edges, dtype=np.int64))
    assert np.array_equal(refined.syncs, syncs)
    assert np.all(np.isnan(refined.error_ps))
