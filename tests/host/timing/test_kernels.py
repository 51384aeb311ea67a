"""The kernels from detections to clicks against their twins, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.protocol.numbers import FRAME_DURATION_PS
from keybeam.timing import CLICK_DTYPE, TAG_DTYPE, align, gate, resolve_double_clicks
from keybeam.timing.clicks import gate_numpy, resolve_double_clicks_numpy
from keybeam.timing.placing import FrameStarts, place_tags, place_tags_numpy
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


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(2, 20),
    tags=st.integers(0, 3000),
    jitter=st.sampled_from([0, 3, 10_000, 10**10]),
    seed=st.integers(0, 1 << 30),
)
def test_tags_are_placed_as_in_numpy(count, tags, jitter, seed):
    """In order, nearly in order, and in none."""
    generator = np.random.default_rng(seed)
    frames = some_frames(count, generator)
    span = count * FRAME_STEPS
    times = np.sort(generator.integers(-span // 4, span + span // 4, tags))
    given_tags = np.empty(tags, TAG_DTYPE)
    given_tags["time"] = frames.origin + times + generator.integers(-jitter, jitter + 1, tags)
    given_tags["channel"] = generator.integers(0, 4, tags)
    found, expected = place_tags(frames, given_tags), place_tags_numpy(frames, given_tags)
    assert found.clicks.tobytes() == expected.clicks.tobytes()
    assert found.later.tobytes() == expected.later.tobytes()
    assert (found.inside, found.before) == (expected.inside, expected.before)


def test_tags_on_the_very_start_of_a_frame():
    frames = FrameStarts(0, 5, np.zeros(4), np.ones(4, bool), 0.0)
    tags = np.zeros(6, TAG_DTYPE)
    tags["time"] = [-1, 0, FRAME_STEPS - 1, FRAME_STEPS, 3 * FRAME_STEPS - 1, 3 * FRAME_STEPS]
    placed = place_tags(frames, tags)
    assert (placed.clicks["index"] >> 16).tolist() == [5, 5, 6, 7]
    assert (placed.clicks["index"] & 0xFFFF).tolist() == [0, 65535, 0, 65535]
    assert placed.before == 1
    assert placed.later["time"].tolist() == [3 * FRAME_STEPS]
    assert frames.starts[1] == FRAME_DURATION_PS


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
