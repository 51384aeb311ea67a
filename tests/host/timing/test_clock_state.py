"""The estimated clock against the one that the sync words were made with."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_DURATION_PS
from keybeam.protocol.records import (
    FINE_PS,
    FRAME_COUNTER_BITS,
    FRAME_VALID,
    SYNC_FLYWHEEL,
    TIME_MODULO,
    RecordType,
    pack_records,
)
from keybeam.timing import ClockEstimator, RecordDecoder

PERIOD_PS = float(FRAME_DURATION_PS)
JITTER_PS = 42.0
"""RMS of one sync word: 100 ps full width at half maximum (arXiv:2408.10994)."""


@dataclass
class Sky:
    """A clock with rate and drift, as Doppler and two oscillators make it."""

    rate: float
    drift: float
    start: int
    first: int

    def arrival_ps(self, counter):
        """Start of a frame after `start`, in ps."""
        seconds = (counter - self.first) * PERIOD_PS * 1e-12
        return (seconds * (1 + self.rate) + self.drift * seconds**2 / 2) * 1e12

    def error_ps(self, state, counter):
        """Start of a frame by a state less the true one."""
        begin = (state.segment_start - self.start) * FINE_PS
        return begin + state.start_ps(counter) - self.arrival_ps(counter)

    def rate_at(self, counter):
        return self.rate + self.drift * (counter - self.first) * PERIOD_PS * 1e-12


def records_of(sky, generator, frames, *, missing=0.0, outliers=0.0, doubled=0.0, unread=0.0):
    """Sync words of a clock, damaged in parts as asked."""
    counters = sky.first + np.flatnonzero(generator.random(frames) >= missing)
    times = sky.arrival_ps(counters) + generator.normal(0, JITTER_PS, counters.size)
    off = generator.random(counters.size) < outliers
    sizes = generator.choice([-1, 1], counters.size) * generator.uniform(300, 4000, counters.size)
    times += np.where(off, sizes, 0)
    valid = generator.random(counters.size) >= unread
    shown = np.where(valid, counters, generator.integers(0, 1 << 40, counters.size))
    flags = int(FrameFlag.RUNNING) << FRAME_COUNTER_BITS
    steps = sky.start + np.rint(times / FINE_PS).astype(np.int64)
    syncs = pack_records(RecordType.SYNC, 0, steps % TIME_MODULO)
    headers = pack_records(RecordType.FRAME, FRAME_VALID * valid, shown | flags)
    pairs = np.stack([syncs, headers], axis=1)
    twice = 1 + (generator.random(counters.size) < doubled)
    return np.repeat(pairs, twice, axis=0).ravel()


def states_of(records, estimator, cuts=()):
    decoder = RecordDecoder()
    states = []
    for part in np.split(records, sorted(cuts)):
        states += estimator.feed(decoder.feed(part))
    return states + estimator.feed(decoder.finish()) + estimator.finish()


SKIES = st.builds(
    Sky,
    rate=st.floats(-23.4e-6, 23.4e-6),
    drift=st.floats(-0.4e-6, 0.4e-6),
    start=st.one_of(
        st.integers(10_000, TIME_MODULO - 1), st.just(TIME_MODULO - round(0.05e12 / FINE_PS))
    ),
    first=st.integers(0, 1 << 40),
)


@settings(max_examples=25)
@given(
    SKIES,
    st.integers(0, 1 << 32),
    st.floats(0, 0.5),
    st.floats(0, 0.03),
    st.floats(0, 0.1),
    st.floats(0, 0.3),
)
def test_every_clock_is_found_within_its_errors(sky, seed, missing, outliers, doubled, unread):
    generator = np.random.default_rng(seed)
    damage = {"missing": missing, "outliers": outliers, "doubled": doubled, "unread": unread}
    states = states_of(records_of(sky, generator, 3 * 954, **damage), ClockEstimator())
    assert len(states) >= 3
    for state in states:
        assert abs(sky.error_ps(state, state.counter)) < 6 * state.offset_error_ps
        assert abs(state.rate - sky.rate_at(state.counter)) < 6 * state.rate_error
        assert abs(state.drift - sky.drift) < 6 * state.drift_error
        assert 0.7 * JITTER_PS < state.scatter_ps < 1.4 * JITTER_PS or state.words < 100


def test_hundred_milliseconds_smooth_42_ps_to_less_than_20(generator):
    """Anywhere in the window, and by as much as the states themselves say."""
    sky = Sky(23.4e-6, -0.4e-6, 12345, 7)
    states = states_of(records_of(sky, generator, 200 * 954), ClockEstimator())
    assert len(states) == 200
    for place in ("first_counter", "counter", "last_counter"):
        errors = np.array([sky.error_ps(state, getattr(state, place)) for state in states])
        claimed = np.array([state.start_error_ps(getattr(state, place)) for state in states])
        assert np.sqrt((errors**2).mean()) < 20
        assert 0.85 < np.sqrt(((errors / claimed) ** 2).mean()) < 1.15
    offsets = np.array([state.offset_error_ps for state in states])
    # A parabola's middle: 3/2 of the error of a mean (9/4 of its variance).
    assert offsets.mean() == pytest.approx(1.5 * JITTER_PS / np.sqrt(954), rel=0.02)


def test_chunks_do_not_matter(generator):
    sky = Sky(-10e-6, 0.3e-6, TIME_MODULO - 10**9, 100)
    records = records_of(sky, generator, 2500, missing=0.1, outliers=0.01, doubled=0.05)
    whole = states_of(records, ClockEstimator(window_frames=300))
    cuts = generator.integers(0, records.size, 40)
    parts = states_of(records, ClockEstimator(window_frames=300), cuts)
    assert len(whole) >= 8
    for one, other in zip(whole, parts, strict=True):
        assert (one.counter, one.offset_ps, one.rate) == (
            other.counter,
            other.offset_ps,
            other.rate,
        )


def test_a_restart_begins_anew(generator):
    before, after = Sky(5e-6, 0, 1000, 90_000), Sky(8e-6, 0, round(0.3e12 / FINE_PS), 0)
    records = np.concatenate([records_of(sky, generator, 1000) for sky in (before, after)])
    estimator = ClockEstimator(window_frames=500)
    states = states_of(records, estimator)
    assert [state.segment_counter for state in states] == [90_000, 90_000, 0, 0]
    for state, sky in zip(states, [before, before, after, after], strict=True):
        assert abs(state.rate - sky.rate) < 6 * state.rate_error
    assert estimator.rejected == 0


def test_a_loss_on_the_link_begins_anew(generator):
    sky = Sky(5e-6, 0, 1000, 50)
    records = records_of(sky, generator, 1000)
    decoder, estimator = RecordDecoder(), ClockEstimator(window_frames=200)
    states = estimator.feed(decoder.feed(records[:1100]))
    decoder.lose(6)
    states += estimator.feed(decoder.feed(records[1106:])) + estimator.finish()
    assert {state.segment_counter for state in states} == {50, 50 + 553}
    assert all(abs(sky.error_ps(s, s.counter)) < 6 * s.offset_error_ps for s in states)


def test_the_flywheels_times_take_no_part(generator):
    sky = Sky(5e-6, 0, 1000, 50)
    records = records_of(sky, generator, 600)
    wheel = generator.random(600) < 0.3
    shifted = records.reshape(-1, 2).copy()
    shifted[wheel, 0] += np.uint64(2000) | np.uint64(SYNC_FLYWHEEL << 54)
    estimator = ClockEstimator(window_frames=600)
    (state,) = states_of(shifted.ravel(), estimator)
    assert estimator.flywheel == np.count_nonzero(wheel)
    assert state.words + state.outliers == 600 - np.count_nonzero(wheel)
    assert abs(sky.error_ps(state, state.counter)) < 6 * state.offset_error_ps


def test_too_few_words_have_no_state(generator):
    records = records_of(Sky(0, 0, 0, 0), generator, 7)
    assert states_of(records, ClockEstimator()) == []
    with pytest.raises(ValueError, match="window"):
        ClockEstimator(window_frames=3)
