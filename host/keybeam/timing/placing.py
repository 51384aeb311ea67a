"""Placing of detections in the frames around them, by linear scaling between their starts.

A kernel in C++ does it in one pass; `place_tags_numpy` is its twin.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FRAME_DURATION_PS, FRAME_SLOTS, SLOT_PS
from keybeam.protocol.records import FINE_PS
from keybeam.timing import _tags
from keybeam.timing.clicks import CLICK_DTYPE
from keybeam.timing.splitting import TAG_DTYPE
from keybeam.timing.tracking import FRAME_STEPS

__all__ = ["FrameStarts", "PlacedTags", "place_tags", "place_tags_numpy"]


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


class PlacedTags(NamedTuple):
    """What became of tags.

    Attributes
    ----------
    clicks : ndarray of CLICK_DTYPE
        Those in wanted frames.
    inside, before : int
        Tags in any of the frames, and before the first of them.
    later : ndarray of TAG_DTYPE
        Tags from the last start on.
    """

    clicks: NDArray[np.void]
    inside: int
    before: int
    later: NDArray[np.void]


def place_tags(frames: FrameStarts, tags: NDArray[np.void]) -> PlacedTags:
    """Give tags their pulse index.

    Parameters
    ----------
    frames : FrameStarts
        Frames of which the starts are known.
    tags : ndarray of TAG_DTYPE
        Tags, about in the order of time.
    """
    clicks = np.empty(tags.size, CLICK_DTYPE)
    later = np.empty(tags.size, TAG_DTYPE)
    found, inside, before, after = _tags.place_tags(
        np.ascontiguousarray(tags).view(np.uint8),
        frames.starts,
        np.ascontiguousarray(frames.deviations),
        np.ascontiguousarray(frames.key).view(np.uint8),
        frames.origin,
        frames.counter,
        frames.shift_ps,
        clicks.view(np.uint8),
        later.view(np.uint8),
        FINE_PS,
        FRAME_STEPS,
        float(FRAME_DURATION_PS),
        float(FRAME_SLOTS),
        float(SLOT_PS),
    )
    # What waits is copied, so that the room for all of them is not kept with it.
    return PlacedTags(clicks[:found], inside, before, later[:after].copy())


def place_tags_numpy(frames: FrameStarts, tags: NDArray[np.void]) -> PlacedTags:
    """Do the same as `place_tags`, bit for bit, in NumPy."""
    starts, deviations = frames.starts, frames.deviations
    times = tags["time"] - frames.origin
    place = np.searchsorted(starts, times * FINE_PS + frames.shift_ps, side="right") - 1
    inside = (place >= 0) & (place < starts.size - 1)
    taken, times, frame = tags[inside], times[inside], place[inside]

    # Relative to the nominal start of its own frame a time is exact, whatever the chunk.
    ps = (times - frame * FRAME_STEPS) * FINE_PS + frames.shift_ps - deviations[frame]
    duration = FRAME_DURATION_PS + deviations[frame + 1] - deviations[frame]
    scaled = ps / duration * FRAME_SLOTS
    slot = np.clip(np.floor(scaled), 0, FRAME_SLOTS - 1)
    clicks = np.empty(taken.size, CLICK_DTYPE)
    counters = (frames.counter + frame).astype(np.uint64)
    clicks["index"] = counters * np.uint64(FRAME_SLOTS) + slot.astype(np.uint64)
    clicks["channel"] = taken["channel"]
    clicks["phase_ps"] = (scaled - slot - 0.5) * SLOT_PS
    return PlacedTags(
        clicks[frames.key[frame]],
        taken.size,
        int(np.count_nonzero(place < 0)),
        tags[(place >= starts.size - 1) & (place >= 0)],
    )
