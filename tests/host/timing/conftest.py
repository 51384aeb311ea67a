"""A synthetic stream of records with a known pulse index for every tag."""

from dataclasses import dataclass

import numpy as np
import pytest

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_DURATION_PS, FRAME_SLOTS, SLOT_PS
from keybeam.protocol.records import (
    FINE_PS,
    FRAME_COUNTER_BITS,
    FRAME_VALID,
    SYNC_FLYWHEEL,
    TIME_MODULO,
    RecordType,
    pack_records,
)


@dataclass
class Stream:
    """Records in order, and for every tag among them its true pulse index."""

    records: np.ndarray
    indices: np.ndarray


def arrival_ps(sent_ps, *, rate=20e-6, drift=-0.366e-6, delay_ps=3e12):
    """Arrival by the receiver's clock: rate and drift of Doppler and oscillators together."""
    seconds = sent_ps * 1e-12
    return delay_ps + sent_ps * (1 + rate) + 0.5 * drift * seconds**2 * 1e12


def make_stream(
    generator,
    *,
    frames=600,
    first=7,
    tags=3000,
    sync_noise_ps=42.0,
    bin_ps=FINE_PS,
    missing=0.0,
    outliers=0.0,
    flywheels=0.0,
    unread=0.0,
    headless=0.0,
    doubled=0.0,
    flags=None,
    start_ps=3e12,
):
    """Records of `frames` frames; parts of the sync words are damaged as asked."""
    counters = np.arange(first, first + frames)
    sync = arrival_ps((counters - first) * float(FRAME_DURATION_PS), delay_ps=start_ps)
    sync = sync + generator.normal(0, sync_noise_ps, frames)
    flags = np.full(frames, int(FrameFlag.RUNNING)) if flags is None else np.asarray(flags)

    keep = generator.random(frames) >= missing
    wrong = generator.random(frames) < outliers
    sync = np.where(wrong, sync + generator.uniform(0, FRAME_DURATION_PS, frames), sync)
    wheel = generator.random(frames) < flywheels
    sync = np.where(wheel, sync + generator.uniform(-9e3, 9e3, frames), sync)
    valid = (generator.random(frames) >= unread) & ~wrong
    shown = np.where(valid, counters, generator.integers(0, 1 << 40, frames))
    framed = generator.random(frames) >= headless
    twice = generator.random(frames) < doubled if doubled else np.zeros(frames, bool)

    slots = np.sort(generator.integers(0, (frames - 1) * FRAME_SLOTS, tags))
    sent = (slots + 0.5) * SLOT_PS + generator.normal(0, 150, tags).clip(-700, 700)
    times = arrival_ps(sent, delay_ps=start_ps)
    indices = slots.astype(np.uint64) + np.uint64(first * FRAME_SLOTS)

    def steps(ps):
        return np.floor(ps / bin_ps).astype(np.int64) * round(bin_ps / FINE_PS)

    at, kind, words = [], [], []
    for place in np.repeat(np.arange(frames), np.where(keep, 1 + twice, 0)):
        channel = SYNC_FLYWHEEL if wheel[place] else 0
        words.append(pack_records(RecordType.SYNC, channel, steps(sync[place]) % TIME_MODULO))
        at.append(sync[place])
        kind.append(0)
        if framed[place]:
            body = int(shown[place]) | int(flags[place]) << FRAME_COUNTER_BITS
            words.append(pack_records(RecordType.FRAME, FRAME_VALID * int(valid[place]), body))
            at.append(sync[place])
            kind.append(0)
    channels = generator.integers(0, 4, tags)
    words.extend(pack_records(RecordType.TAG, channels, steps(times) % TIME_MODULO))
    at.extend(times)
    kind.extend([2] * tags)
    order = np.lexsort([kind, at])
    is_tag = np.array(kind)[order] == 2
    number = order[is_tag] - (len(words) - tags)
    return Stream(np.array(words, np.uint64)[order], indices[number])


@pytest.fixture
def generator():
    return np.random.default_rng(20220925)


@pytest.fixture
def synthetic():
    """The function that makes a stream."""
    return make_stream
