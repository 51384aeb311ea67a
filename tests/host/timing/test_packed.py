"""Clicks in four bytes each, against the same as structures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.timing import (
    CLICK_DTYPE,
    MOST_PULSES,
    ClickOrder,
    PackedClicks,
    click_order,
    join_packed,
    packed_order,
    resolve_packed,
)
from keybeam.timing.clicks import resolve_double_clicks_numpy


def clicks_at(index, channel):
    clicks = np.zeros(len(index), CLICK_DTYPE)
    clicks["index"], clicks["channel"] = index, channel
    return clicks


def test_packed_clicks_are_the_same_however_far_apart():
    """2^30 pulses and more between two of them begin another part."""
    steps = [0, 1, 2, 3, MOST_PULSES - 7, 1, MOST_PULSES, MOST_PULSES - 1, 1, 5 << 40]
    index = (1 << 63) + np.cumsum(np.array(steps, np.uint64))
    clicks = clicks_at(index, np.random.default_rng(4).integers(0, 4, len(steps)))
    parts = list(PackedClicks.all_of(clicks))
    assert [part.words.size for part in parts] == [5, 1, 2, 1, 1]
    together = np.concatenate([part.unpacked() for part in parts])
    assert np.array_equal(together["index"], clicks["index"])
    assert np.array_equal(together["channel"], clicks["channel"])
    assert [part.index_at(-1) for part in parts] == index[[4, 5, 7, 8, 9]].tolist()


@settings(max_examples=100, deadline=None)
@given(
    index=st.lists(st.integers(0, 30), max_size=100),
    ordered=st.booleans(),
    seed=st.integers(0, 1 << 30),
)
def test_double_clicks_are_resolved_as_in_numpy(index, ordered, seed):
    index = np.array(sorted(index) if ordered else index, np.uint64)
    channel = np.random.default_rng(seed).integers(0, 4, index.size)
    clicks = clicks_at(index, channel)
    words = (index << np.uint64(2) | channel.astype(np.uint64)).astype(np.uint32)
    assert packed_order(words) is click_order(clicks)
    found = PackedClicks(0, resolve_packed(words, np.random.default_rng(seed)))
    expected = resolve_double_clicks_numpy(clicks, np.random.default_rng(seed))
    assert np.array_equal(found.indices, expected["index"])
    assert np.array_equal(found.channels, expected["channel"])


def test_rising_clicks_are_left_as_they_are():
    words = np.array([5, 8, 1 << 31], np.uint32)
    assert packed_order(words) is ClickOrder.RISING
    assert resolve_packed(words, np.random.default_rng(1)) is words


@pytest.mark.parametrize(
    ("first", "fits"),
    [
        (0, False),
        ((1 << 40) - 50, True),
        (1 << 40, True),
        (7 + (1 << 40), True),
        (8 + (1 << 40), False),
        (61 + (1 << 40) - MOST_PULSES, False),
        (62 + (1 << 40) - MOST_PULSES, True),
    ],
)
def test_clicks_counted_from_another_pulse(first, fits):
    """The first lies 7 pulses after 2^40, the last 61."""
    clicks = PackedClicks(1 << 40, np.array([7 << 2 | 3, 9 << 2, 61 << 2 | 1], np.uint32))
    words = clicks.counted_from(first)
    assert (words is not None) == fits
    if fits:
        moved = PackedClicks(first, words)
        assert np.array_equal(moved.indices, clicks.indices)
        assert np.array_equal(moved.channels, clicks.channels)


def test_clicks_up_to_a_pulse_are_left_out():
    clicks = PackedClicks(1000, np.array([7 << 2 | 3, 9 << 2, 61 << 2 | 1], np.uint32))
    for index, left in ((-1, 3), (1006, 3), (1007, 2), (1060, 1), (1061, 0), (1 << 50, 0)):
        later = clicks.later_than(index)
        assert later.words.size == left
        assert np.array_equal(later.indices, clicks.indices[3 - left :])


@pytest.mark.parametrize("apart", [-MOST_PULSES, -5, 0, 5, MOST_PULSES - 72, MOST_PULSES - 71])
def test_joined_clicks_are_those_of_both(apart):
    """Whichever comes first, as long as one pulse can count all of them."""
    before = PackedClicks(1 << 40, np.array([11 << 2, 9 << 2 | 2], np.uint32))
    after = PackedClicks((1 << 40) + apart, np.array([1 << 2, 80 << 2 | 1], np.uint32))
    found = join_packed(before, after)
    if abs(apart) > MOST_PULSES - 72:
        assert found is None
        return
    expected = np.concatenate([before.unpacked(), after.unpacked()])
    assert np.array_equal(found.unpacked(), expected)
    assert join_packed(PackedClicks(0, before.words[:0]), after) is after
