"""The kernel against its NumPy twin, on records of every kind and none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.protocol.records import (
    CHANNEL_SHIFT,
    TIME_MODULO,
    TYPE_SHIFT,
    RecordType,
    pack_records,
)
from keybeam.timing.splitting import (
    StreamTime,
    scan_records,
    split_records,
    split_records_numpy,
)

ANY_RECORD = st.integers(0, (1 << 64) - 1)
# Detections in long runs, as boards send them: only these go the fast way.
TAG = st.builds(
    lambda channel, time: RecordType.TAG << TYPE_SHIFT | channel << CHANNEL_SHIFT | time,
    st.integers(0, 5),
    st.one_of(
        st.integers(0, 1000),
        st.integers(TIME_MODULO - 1000, TIME_MODULO - 1),
        st.integers(0, TIME_MODULO - 1),
    ),
)
STREAMS = st.builds(
    StreamTime,
    known=st.booleans(),
    restarted=st.booleans(),
    time=st.integers(-(1 << 60), 1 << 60),
    ordered=st.integers(-(1 << 60), 1 << 60),
)


def assert_same(records, channels, stream):
    found = split_records(records, channels, stream)
    expected = split_records_numpy(records, channels, stream)
    for ours, theirs in zip(found, expected, strict=True):
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert ours == theirs
    assert_same_scanned(scan_records(records, channels, stream), expected)
    return found


def assert_same_scanned(scanned, expected):
    """The detections left in their records, and all else."""
    tags = [part.unpacked() for part in scanned.tags]
    joined = np.concatenate([expected.tags[:0], *tags])
    np.testing.assert_array_equal(joined, expected.tags)
    for part, some in zip(scanned.tags, tags, strict=True):
        assert part.size == some.size > 0
        assert part.earliest == some["time"].min()
        assert np.abs(some["time"] - part.base).max() < TIME_MODULO // 4
    np.testing.assert_array_equal(scanned.places, expected.places)
    np.testing.assert_array_equal(scanned.times, expected.times)
    assert scanned[3:] == expected[3:]


@given(st.lists(ANY_RECORD | TAG, max_size=60), st.integers(1, 64), STREAMS)
def test_any_records(words, channels, stream):
    assert_same(np.array(words, np.uint64), channels, stream)


@given(st.lists(TAG, min_size=16, max_size=60), st.integers(1, 64), STREAMS)
def test_runs_of_detections(words, channels, stream):
    assert_same(np.array(words, np.uint64), channels, stream)


@pytest.mark.parametrize("other", [0.0, 0.01, 0.3])
def test_long_streams_across_the_rollover(generator, other):
    count = 100_000
    steps = generator.integers(0, 1 << 20, count)
    times = TIME_MODULO - (1 << 35) + np.cumsum(steps)
    types = np.where(generator.random(count) < other, generator.integers(2, 16, count), 1)
    records = pack_records(types, generator.integers(0, 6, count), times)
    found = assert_same(records, 4, StreamTime())
    if other == 0.0:
        channels = (records >> np.uint64(54)) & np.uint64(0x3F)
        np.testing.assert_array_equal(found.tags["time"], times[channels < 4])
        assert times[0] < TIME_MODULO < times[-1]


def test_no_records():
    found = assert_same(np.empty(0, np.uint64), 4, StreamTime(True, True, 7, 5))
    assert found.stream == StreamTime(True, True, 7, 5)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="channels"):
        split_records(np.zeros(3, np.uint64), 65, StreamTime())
