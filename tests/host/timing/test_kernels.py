"""The kernels from detections to clicks against their twins, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.protocol.numbers import FRAME_DURATION_PS, FRAME_SLOTS, PULSE_RATE_HZ
from keybeam.protocol.records import TIME_MODULO, RecordType, pack_records
from keybeam.timing import (
    CLICK_DTYPE,
    TAG_DTYPE,
    ClickGate,
    ClickOrder,
    PackedClicks,
    align,
    click_order,
    gate,
    resolve_double_clicks,
)
from keybeam.timing.clicks import gate_numpy, resolve_double_clicks_numpy
from keybeam.timing.placing import FrameStarts, place_tags, place_tags_numpy
from keybeam.timing.splitting import StreamTime, pack_tags, scan_records
from keybeam.timing.tracking import FRAME_STEPS


def some_frames(count, generator):
    deviations = np.cumsum(generator.normal(0, 1000, count)) + generator.normal(0, 1e5)
    return FrameStarts(
        origin=int(generator.integers(-(10**12), 10**12)),
        counter=int(generator.integers(0, 1 << 40)),
        deviations=deviations,
        key=generator.random(count) < 0.8,
        shift_ps=float(generator.normal(0, 500)),
    )


def some_tags(frames, count, tags, jitter, generator):
    """Tags in and around the frames, dense enough for the kernel to take many together."""
    span = count * FRAME_STEPS
    times = np.sort(generator.integers(-span // 4, span + span // 4, tags))
    made = np.empty(tags, TAG_DTYPE)
    made["time"] = frames.origin + times + generator.integers(-jitter, jitter + 1, tags)
    made["channel"] = generator.integers(0, 4, tags)
    return made


def in_one_stream(tags):
    """The tags as a board sends them, and among them some that are none of detectors."""
    packed = pack_tags(tags)
    assert len(packed) <= 1
    if not packed:
        return scan_records(pack_records(RecordType.EPOCH, 0, [5]), 4, StreamTime()).tags
    words = np.insert(packed[0].words, tags.size // 2, pack_records(RecordType.FRAME, 1, [99]))
    words = np.insert(words, tags.size // 3, pack_records(RecordType.TAG, 7, [3]))
    return (packed[0]._replace(words=words, channels=4),)


def equal_placed(found, expected):
    assert found.clicks.tobytes() == expected.clicks.tobytes()
    assert found.later.words.tobytes() == expected.later.words.tobytes()
    assert found.later._replace(words=0) == expected.later._replace(words=0)
    for name in ("inside", "wanted", "before", "beyond", "second"):
        assert getattr(found, name) == getattr(expected, name), name
    for name in ("placed_in", "gated_in"):
        counts, others = np.trim_zeros(getattr(found, name)), np.trim_zeros(getattr(expected, name))
        np.testing.assert_array_equal(counts, others)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 20),
    tags=st.sampled_from([0, 1, 63, 64, 65, 3000, 20_000]),
    jitter=st.sampled_from([0, 3, 10_000, 10**10]),
    gated=st.booleans(),
    seed=st.integers(0, 1 << 30),
)
def test_tags_are_placed_as_in_numpy(count, tags, jitter, gated, seed):
    """In order, nearly in order, and in none; behind a gate and without one."""
    generator = np.random.default_rng(seed)
    frames = some_frames(count, generator)
    end = (frames.counter + count // 2) * FRAME_SLOTS + 777
    first = max(frames.counter - 3, 0) * FRAME_SLOTS
    gates = [
        ClickGate(generator.uniform(-800, 800), first=first),
        ClickGate(0.0, 1600.0, end, first),
    ]
    chosen = gates[seed % 2] if gated else None
    for packed in in_one_stream(some_tags(frames, count, tags, jitter, generator)):
        if count:
            equal_placed(
                place_tags(frames, packed, chosen), place_tags_numpy(frames, packed, chosen)
            )
        else:
            assert place_tags(frames, packed, chosen).later.size == tags


def test_clicks_are_counted_in_their_seconds():
    """Frames around the border of a second, which lies within one of them."""
    counter = 5 * PULSE_RATE_HZ // FRAME_SLOTS - 2
    frames = FrameStarts(0, counter, np.zeros(6), np.ones(6, bool), 0.0)
    (packed,) = pack_tags(some_tags(frames, 6, 30_000, 0, np.random.default_rng(1)))
    chosen = ClickGate(0.0, first=(counter - 1) * FRAME_SLOTS)
    placed = place_tags(frames, packed, chosen)
    equal_placed(placed, place_tags_numpy(frames, packed, chosen))
    assert placed.second == 4
    later = PackedClicks(chosen.first, placed.clicks).indices >= 5 * PULSE_RATE_HZ
    assert placed.gated_in.tolist() == [np.count_nonzero(~later), np.count_nonzero(later)]
    assert 0 < placed.gated_in[0] < placed.placed_in[0]
    assert placed.placed_in.sum() == placed.inside == placed.wanted


def test_times_that_differ_by_the_modulus_are_not_mistaken():
    """The low bits of such a tag are those of one within the frames."""
    frames = FrameStarts(0, 5, np.zeros(4), np.ones(4, bool), 0.0)
    tags = some_tags(frames, 3, 500, 0, np.random.default_rng(1))
    tags["time"] += TIME_MODULO
    (packed,) = pack_tags(tags)
    placed = place_tags(frames, packed)
    assert placed.clicks.size == 0
    assert placed.later.size == 500


def test_tags_on_the_very_start_of_a_frame():
    frames = FrameStarts(0, 5, np.zeros(4), np.ones(4, bool), 0.0)
    tags = np.zeros(6, TAG_DTYPE)
    tags["time"] = [-1, 0, FRAME_STEPS - 1, FRAME_STEPS, 3 * FRAME_STEPS - 1, 3 * FRAME_STEPS]
    for copies in (1, 64):  # one after another, and many together
        (packed,) = pack_tags(np.repeat(tags, copies))
        placed = place_tags(frames, packed)
        assert (placed.clicks["index"][::copies] >> 16).tolist() == [5, 5, 6, 7]
        assert (placed.clicks["index"][::copies] & 0xFFFF).tolist() == [0, 65535, 0, 65535]
        assert placed.before == copies
        assert placed.later.unpacked()["time"].tolist() == [3 * FRAME_STEPS] * copies
    assert frames.starts[1] == FRAME_DURATION_PS


@pytest.mark.parametrize(
    ("index", "order"),
    [
        ([], ClickOrder.RISING),
        ([3], ClickOrder.RISING),
        ([3, 4, 9], ClickOrder.RISING),
        ([3, 4, 4, 9], ClickOrder.EQUAL),
        ([3, 3, 2], ClickOrder.MIXED),
    ],
)
def test_the_order_of_clicks(index, order):
    clicks = np.zeros(len(index), CLICK_DTYPE)
    clicks["index"] = index
    assert click_order(clicks) is order


def some_clicks(count, spread, generator, *, ordered):
    clicks = np.empty(count, CLICK_DTYPE)
    index = generator.integers(10, 10 + spread, count)
    clicks["index"] = np.sort(index) if ordered else index
    clicks["channel"] = generator.integers(0, 4, count)
    clicks["phase_ps"] = generator.uniform(-800, 800, count)
    return clicks


@given(
    count=st.integers(0, 2000),
    delay=st.floats(-800, 800),
    width=st.floats(0, 1600),
    seed=st.integers(0, 1 << 30),
)
def test_clicks_are_gated_as_in_numpy(count, delay, width, seed):
    clicks = some_clicks(count, 10**9, np.random.default_rng(seed), ordered=False)
    assert gate(align(clicks, delay), width).tobytes() == gate_numpy(clicks, delay, width).tobytes()
    assert align(clicks, delay).size == count


@pytest.mark.parametrize("ordered", [True, False])
@given(count=st.integers(0, 500), spread=st.integers(1, 1000), seed=st.integers(0, 1 << 30))
def test_double_clicks_are_resolved_as_in_numpy(ordered, count, spread, seed):
    clicks = some_clicks(count, spread, np.random.default_rng(seed), ordered=ordered)
    found = resolve_double_clicks(clicks, np.random.default_rng(1))
    expected = resolve_double_clicks_numpy(clicks, np.random.default_rng(1))
    assert found.tobytes() == expected.tobytes()
