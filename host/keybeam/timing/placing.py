"""Placing of detections in the frames around them, by linear scaling between their starts.

A kernel in C++ takes them from their records to gated clicks, 64 at a time wherever they lie in one
frame; `place_tags_numpy` is its twin.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import (
    FRAME_DURATION_PS,
    FRAME_SLOTS,
    GATE_PS,
    PULSE_RATE_HZ,
    SLOT_PS,
)
from keybeam.protocol.records import (
    CHANNEL_BITS,
    FINE_PS,
    TIME_BITS,
    TIME_MODULO,
    RecordType,
    pack_records,
)
from keybeam.timing import _tags
from keybeam.timing.clicks import CLICK_DTYPE, gate_numpy
from keybeam.timing.splitting import PackedTags
from keybeam.timing.tracking import FRAME_STEPS

__all__ = ["ClickGate", "FrameStarts", "PlacedTags", "place_tags", "place_tags_numpy"]


class FrameStarts(NamedTuple):
    """Starts of consecutive frames; tags lie between two of them.

    Attributes
    ----------
    origin : int
        Unwrapped time of the nominal start of the first frame, in fine steps.
    counter : int
        Frame counter of the first frame.
    deviations : ndarray of float64, shape (n,)
        Start of each frame less its nominal start, in picoseconds.
    key : ndarray of bool, shape (n,)
        Whether clicks of the frame are wanted.
    shift_ps : float
        Added to the tags' times.
    """

    origin: int
    counter: int
    deviations: NDArray[np.float64]
    key: NDArray[np.bool]
    shift_ps: float

    @property
    def starts(self) -> NDArray[np.float64]:
        """Start of each frame in picoseconds after the origin."""
        nominal = np.arange(self.deviations.size, dtype=np.float64) * float(FRAME_DURATION_PS)
        starts: NDArray[np.float64] = nominal + self.deviations
        return starts


class ClickGate(NamedTuple):
    """Which clicks are kept.

    Attributes
    ----------
    delay_ps : float
        How much later the slot centres are; see `keybeam.timing.align`.
    width_ps : float
        Full width of the gate; see `keybeam.timing.gate`.
    end : int
        Clicks from this pulse on are past the end, and left out.
    first : int
        Pulse from which the kept clicks are counted, as those of `keybeam.timing.PackedClicks`: at
        least one before the frames' first, and less than `keybeam.timing.MOST_PULSES` before their
        last.
    """

    delay_ps: float
    width_ps: float = GATE_PS
    end: int = (1 << 64) - 1
    first: int = 0


class PlacedTags(NamedTuple):
    """What became of tags.

    Attributes
    ----------
    clicks : ndarray of CLICK_DTYPE or of uint32
        Those in wanted frames; behind a gate, the words of those that it keeps.
    inside, wanted, before : int
        Tags in any of the frames, in wanted ones, and before the first of all.
    later : PackedTags
        Tags from the last start on.
    beyond : int
        Clicks past the end of a gate.
    second : int
        The second of the pass in which the first of the next two counts are; 0 without a gate.
    placed_in, gated_in : ndarray of int64
        In each second, the clicks before the end and those that the gate keeps; empty without a
        gate.
    """

    clicks: NDArray[np.void] | NDArray[np.uint32]
    inside: int
    wanted: int
    before: int
    later: PackedTags
    beyond: int
    second: int
    placed_in: NDArray[np.int64]
    gated_in: NDArray[np.int64]


def place_tags(
    frames: FrameStarts,
    tags: PackedTags,
    gate: ClickGate | None = None,
    out: NDArray[np.void] | NDArray[np.uint32] | None = None,
) -> PlacedTags:
    """Give tags their pulse index; gate them.

    Parameters
    ----------
    frames : FrameStarts
        Frames of which the starts are known.
    tags : PackedTags
        Tags, about in the order of time.
    gate : ClickGate or None
        Which of the clicks to keep; None for all, with the phase of their tags.
    out : ndarray of CLICK_DTYPE or of uint32, shape (at least the number of words,)
        Room for the clicks, or behind a gate for their words; by default it is made.
    """
    kind = CLICK_DTYPE if gate is None else np.dtype(np.uint32)
    clicks: NDArray[Any] = np.empty(tags.words.size, kind) if out is None else out
    later = np.empty(tags.words.size, np.uint64)
    limits = gate and (gate.delay_ps, gate.width_ps / 2, gate.end, PULSE_RATE_HZ, gate.first)
    found, inside, wanted, before, after, earliest, beyond, second, placed_in, gated_in = (
        _tags.place_tags(
            tags.words,
            tags.base,
            TIME_BITS,
            int(RecordType.TAG) << CHANNEL_BITS,
            tags.channels,
            frames.starts,
            np.ascontiguousarray(frames.deviations),
            np.ascontiguousarray(frames.key).view(np.uint8),
            frames.origin,
            frames.counter,
            frames.shift_ps,
            limits,
            clicks.view(np.uint8),
            later,
            FINE_PS,
            FRAME_STEPS,
            float(FRAME_DURATION_PS),
            float(FRAME_SLOTS),
            float(SLOT_PS),
        )
    )
    # What waits is copied, so that the room for all of them is not kept with it.
    kept = PackedTags(later[:after].copy(), tags.base, tags.channels, after, earliest)
    return PlacedTags(
        clicks[:found], inside, wanted, before, kept, beyond, second, placed_in, gated_in
    )


def place_tags_numpy(
    frames: FrameStarts, packed: PackedTags, gate: ClickGate | None = None
) -> PlacedTags:
    """Do the same as `place_tags`, bit for bit, in NumPy."""
    tags = packed.unpacked()
    starts, deviations = frames.starts, frames.deviations
    times = tags["time"] - frames.origin
    place = np.searchsorted(starts, times * FINE_PS + frames.shift_ps, side="right") - 1
    inside = (place >= 0) & (place < starts.size - 1)
    taken, times, frame = tags[inside], times[inside], place[inside]

    # Relative to the nominal start of its own frame a time is exact, whatever the chunk.
    ps = (times - frame * FRAME_STEPS) * FINE_PS + frames.shift_ps - deviations[frame]
    duration = FRAME_DURATION_PS + deviations[frame + 1] - deviations[frame]
    scaled = ps * (FRAME_SLOTS / duration)
    slot = np.clip(np.floor(scaled), 0, FRAME_SLOTS - 1)
    clicks = np.empty(taken.size, CLICK_DTYPE)
    counters = (frames.counter + frame).astype(np.uint64)
    clicks["index"] = counters * np.uint64(FRAME_SLOTS) + slot.astype(np.uint64)
    clicks["channel"] = taken["channel"]
    clicks["phase_ps"] = (scaled - slot - 0.5) * SLOT_PS
    clicks = clicks[frames.key[frame]]
    wanted = clicks.size
    later = tags[(place >= starts.size - 1) & (place >= 0)]
    words = pack_records(RecordType.TAG, later["channel"], later["time"] % TIME_MODULO)
    earliest = int(later["time"].min(initial=np.iinfo(np.int64).max))
    counts, beyond, second = [np.empty(0, np.int64)] * 2, 0, 0
    if gate is not None:
        second = max(frames.counter * FRAME_SLOTS - 1, 0) // PULSE_RATE_HZ
        clicks = gate_numpy(clicks, gate.delay_ps, 4 * SLOT_PS)
        within = clicks["index"] < gate.end
        clicks, beyond = clicks[within], int(np.count_nonzero(~within))
        placed = clicks
        clicks = gate_numpy(clicks, 0.0, gate.width_ps)
        counts = [
            np.bincount((part["index"] // np.uint64(PULSE_RATE_HZ)).astype(np.int64) - second)
            for part in (placed, clicks)
        ]
        pulses = (clicks["index"] - np.uint64(gate.first)).astype(np.uint32)
        clicks = pulses << np.uint32(2) | clicks["channel"]
    return PlacedTags(
        clicks,
        taken.size,
        wanted,
        int(np.count_nonzero(place < 0)),
        PackedTags(words, packed.base, packed.channels, words.size, earliest),
        beyond,
        second,
        *counts,
    )
