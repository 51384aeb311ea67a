import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.protocol.records import FINE_PS, RecordType, pack_records
from keybeam.tags import AnalysisError, write_capture
from keybeam.tags.correlation import (
    correlate_capture,
    count_pairs,
    count_pairs_numpy,
    live_stretches,
)
from keybeam.timing import Gap

TIMES = st.lists(st.integers(-300, 300), max_size=40).map(lambda times: np.array(sorted(times)))
SECOND = round(1e12 / FINE_PS)


def plain_count(first, second, lowest, width, bins, same):
    counts = [0] * bins
    for i, start in enumerate(first.tolist()):
        for j, stop in enumerate(second.tolist()):
            place = (stop - start - lowest) // width
            if 0 <= place < bins and not (same and i == j):
                counts[place] += 1
    return counts


@given(TIMES, TIMES, st.integers(-200, 200), st.integers(1, 30), st.integers(1, 20), st.booleans())
def test_pairs_against_a_plain_count(first, second, lowest, width, bins, same):
    first, second = first.astype(np.int64), second.astype(np.int64)
    second = first if same else second
    expected = plain_count(first, second, lowest, width, bins, same)
    assert count_pairs(first, second, lowest, width, bins, same=same).tolist() == expected
    assert count_pairs_numpy(first, second, lowest, width, bins, same=same).tolist() == expected


def test_arguments_are_checked():
    times = np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="bins"):
        count_pairs(times, times, 0, 0, 5)
    with pytest.raises(ValueError, match="bins"):
        count_pairs(times, times, 0, 1 << 59, 5)


def test_live_stretches():
    gaps = [Gap(0, 100, 150, 1), Gap(3, 10, 900, 1), Gap(None, 140, 200, 0), Gap(1, 990, 2000, 4)]
    found = live_stretches(0, 1000, gaps, (0, 1), 300)
    assert found == [(0, 100), (200, 500), (500, 800), (800, 990)]
    assert live_stretches(5, 8, [], (0,), 300) == [(5, 8)]


def capture_of(path, *channels, gaps=()):
    """A capture of times in s for each channel, with gaps (channel, begin, end, lost)."""
    rows = [(t, RecordType.TAG, c, t) for c, times in enumerate(channels) for t in steps(times)]
    for channel, begin, end, lost in gaps:
        begin, end = steps([begin, end])
        rows += [(begin, RecordType.GAP_BEGIN, channel, begin), (end, RecordType.EPOCH, 0, end)]
        rows.append((end, RecordType.GAP_END, channel, lost))
    rows.sort(key=lambda row: row[0])
    _, kinds, numbers, bodies = (np.array(column) for column in zip(*rows, strict=True))
    write_capture(path, np.array_split(pack_records(kinds, numbers, bodies), 7))
    return path


def steps(seconds):
    return np.rint(np.asarray(seconds) * SECOND).astype(np.int64).tolist()


def test_independent_detections(tmp_path, generator):
    """g² is 1, its errors are those of the scatter, and changing rates do no harm."""
    bursts = [(0.0, 2.0, 6000), (2.0, 4.0, 24_000), (4.0, 4.5, 1000)]
    channels = [
        np.concatenate([generator.uniform(a, b, n) for a, b, n in bursts]) for _ in range(2)
    ]
    path = capture_of(tmp_path / "poisson.h5", *channels)
    for second in (0, 1):
        found = correlate_capture(path, 0, second, bin_ps=2e6, range_ps=2e8, stretch_s=0.25)
        assert found.lags_ps[found.lags_ps.size // 2] == 0.0
        pull = (found.g2 - 1) / found.errors
        assert abs(found.g2.mean() - 1) < 0.02
        assert 0.75 < pull.std() < 1.25
        assert found.live_s == pytest.approx(4.5, abs=0.01)


def test_a_single_photon_emitter(tmp_path, generator):
    """At most one photon a pulse onto two detectors: no pair at zero, one at all other periods."""
    period = 2e-8
    pulses = np.flatnonzero(generator.random(1_000_000) < 0.05)
    side = generator.integers(0, 2, pulses.size)
    times = pulses * period + generator.normal(0, 1e-10, pulses.size) + 1e-6
    path = capture_of(tmp_path / "dot.h5", times[side == 0], times[side == 1])
    found = correlate_capture(path, 0, 1, bin_ps=period * 1e12, range_ps=1e6, stretch_s=0.01)
    middle = found.pairs.size // 2
    assert found.pairs[middle] == 0
    assert found.errors[middle] == 1 / found.expected[middle]
    others = np.delete(found.g2, middle)
    assert others.mean() == pytest.approx(1.0, abs=0.02)


def test_no_pair_spans_a_gap_and_dead_time_is_not_counted(tmp_path, generator):
    """A channel that is blind for half of the time has half the pairs and the same g²."""
    one, other = (np.sort(generator.uniform(0, 2, 30_000)) for _ in range(2))
    other = other[(other < 0.5) | (other > 1.5)]
    gaps = [(1, 0.5, 1.5, 15_000)]
    path = capture_of(tmp_path / "gap.h5", one, other, gaps=gaps)
    found = correlate_capture(path, 0, 1, bin_ps=2e6, range_ps=1e8, stretch_s=0.3)
    assert found.live_s == pytest.approx(1.0, abs=0.001)
    assert found.g2.mean() == pytest.approx(1.0, abs=0.03)


def test_what_cannot_be_correlated(tmp_path):
    path = capture_of(tmp_path / "few.h5", [0.1, 0.2])
    with pytest.raises(AnalysisError, match="too few"):
        correlate_capture(path, 0, 1)
    with pytest.raises(AnalysisError, match="smaller range"):
        correlate_capture(path, 0, 0, bin_ps=1, range_ps=1e9)
    with pytest.raises(AnalysisError, match="stretch"):
        correlate_capture(path, 0, 0, bin_ps=1e8, range_ps=1e12)
