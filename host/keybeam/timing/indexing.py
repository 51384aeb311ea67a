"""The pulse index of every detection, from the times and counters of the sync words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.records import FINE_PS
from keybeam.timing.clicks import CLICK_DTYPE
from keybeam.timing.clock import FrameClock
from keybeam.timing.decoding import DecodedChunk
from keybeam.timing.joining import joined
from keybeam.timing.packed import PackedClicks
from keybeam.timing.placing import ClickGate, FrameStarts, PlacedTags, place_tags
from keybeam.timing.splitting import PackedTags, pack_tags
from keybeam.timing.tracking import FRAME_STEPS, Segment, SyncTracker

__all__ = ["IndexedClicks", "IndexingStatistics", "PulseIndexer"]


@dataclass
class IndexingStatistics:
    """Counts of a `PulseIndexer` so far.

    Attributes
    ----------
    indexed : int
        Detections that became clicks.
    not_key : int
        Detections in frames that are not fit for key.
    unindexed : int
        Detections without sync words on both sides.
    segments : int
        Unbroken runs of the frame counter.
    syncs, rejected_syncs, flywheel_syncs : int
        Sync words used, found wrong, and left out because they bore the flywheel's time.
    """

    indexed: int = 0
    not_key: int = 0
    unindexed: int = 0
    segments: int = 0
    syncs: int = 0
    rejected_syncs: int = 0
    flywheel_syncs: int = 0


class IndexedClicks(NamedTuple):
    """Clicks that have become sure.

    Attributes
    ----------
    clicks : tuple of PackedClicks
        The clicks, one part after another, each behind the room that was asked for.
    placed : tuple of PlacedTags
        The same in other parts, with the counts of each.
    """

    clicks: tuple[PackedClicks, ...]
    placed: tuple[PlacedTags, ...]


_LARGEST_PIECE = 8192
"""Frames that are placed together where clicks are packed: half of what the words can count."""

_SLACK = 16 * FRAME_SLOTS
"""Pulses before the frames from which packed clicks are counted, so that those just before fit."""


class PulseIndexer:
    """Give detections their pulse index.

    The sync words' times are smoothed (`FrameClock`), and a detection between the starts of two
    neighbouring frames is placed by linear scaling between them: on a 500 km orbit Doppler changes
    a frame by up to 2.46 ns, more than a slot, while the quadratic term is 0.002 ps. The index is
    ``frame counter × 65 536 + slot``. Nothing is extrapolated, and nothing joins across a gap, a
    restart of the transmitter, or a hole in the sync words. What comes out does not depend on how
    the stream is cut into chunks.

    Parameters
    ----------
    delay_ps : float
        How much later than its frame's sync word, relative to their distance at the transmitter, a
        pulse arrives at the slot centre (differences of path and electronics; see
        `estimate_delay`).
    bin_ps, sync_bin_ps : float
        Width of the bins whose start is the time of a detection and of a sync word: half of it is
        added. 1600 for inputs that are sampled once a slot, 0 for a fine converter. For edges that
        are synchronous with the sampling, as in co-simulation, 0 for the sync word.
    window_frames : int
        Sync words before a frame that take part in smoothing; more than `hole_frames`.
    ahead_frames : int
        Sync words after the frames of a fit that take part in it, and so must be there first.
    stride_frames : int
        Frames that share a fit. A click leaves about ``ahead_frames + stride_frames`` frames
        after it came.
    hole_frames : int
        Longest distance of sync words that is bridged; with 64 frames the quadratic term is
        under 10 ps.
    key_only : bool
        Drop detections of frames whose mode flags are other than RUNNING alone.
    """

    def __init__(
        self,
        *,
        delay_ps: float = 0.0,
        bin_ps: float = 0.0,
        sync_bin_ps: float = 0.0,
        window_frames: int = 256,
        ahead_frames: int = 32,
        stride_frames: int = 32,
        hole_frames: int = 64,
        key_only: bool = True,
    ) -> None:
        if min(hole_frames, stride_frames) < 1 or ahead_frames < 0:
            raise ValueError("holes and strides have at least one frame, none lies before ahead")
        if window_frames <= hole_frames:
            raise ValueError("the window must be longer than a hole, else a fit can be empty")
        self.statistics = IndexingStatistics()
        self._shift_ps = (bin_ps - sync_bin_ps) / 2 - delay_ps
        self._fit = (window_frames, ahead_frames, stride_frames)
        self._key_only = key_only
        self._tracker = SyncTracker(hole_frames)
        self._clocks: list[_OpenClock] = []
        self._parts: list[PackedTags] = []
        # A detection this long ago can no longer get an index: its segment is settled, or the
        # sync words around it are too far apart.
        frames = ahead_frames + stride_frames + 5 * hole_frames
        self._patience = frames * FRAME_STEPS + round(abs(self._shift_ps) / FINE_PS)

    def feed(self, chunk: DecodedChunk) -> NDArray[np.void]:
        """Take decoded records and give the clicks that have become sure.

        Parameters
        ----------
        chunk : DecodedChunk
            The next part of the stream.

        Returns
        -------
        ndarray of CLICK_DTYPE
            Clicks in the order of time.
        """
        settled = self._settled(chunk)
        clicks = self._all(settled)
        self._drop(chunk.lower_bound - self._patience)
        return clicks

    def feed_gated(self, chunk: DecodedChunk, gate: ClickGate, room: int = 0) -> IndexedClicks:
        """Take decoded records and give those of the sure clicks that a gate keeps.

        Parameters
        ----------
        chunk : DecodedChunk
            The next part of the stream.
        gate : ClickGate
            Which clicks to keep.
        room : int
            Places to leave before the first click of each part, for what the caller puts there.
        """
        parts, placed = [], []
        for frames in self._settled(chunk):
            for piece in _pieces(frames):
                first = max(piece.counter * FRAME_SLOTS - _SLACK, 0)
                clicks, found = self._place(piece, gate._replace(first=first), room)
                parts.append(PackedClicks(first, clicks.view(np.uint32)))
                placed += found
        self._drop(chunk.lower_bound - self._patience)
        return IndexedClicks(tuple(parts), tuple(placed))

    def finish(self) -> NDArray[np.void]:
        """Give the clicks that are left at the end of the stream."""
        self._tracker.close()
        clicks = self._all(self._settle())
        self.statistics.unindexed += sum(part.size for part in self._parts)
        self._parts = []
        return clicks

    def _settled(self, chunk: DecodedChunk) -> list[FrameStarts]:
        """Take decoded records; give the frames that have become sure."""
        self._parts += chunk.packed
        self._tracker.feed(chunk.syncs)
        self._tracker.expire(chunk.lower_bound)
        return self._settle()

    def _settle(self) -> list[FrameStarts]:
        segments = self._tracker.segments
        self._clocks += [
            _OpenClock(segment, self._fit) for segment in segments[len(self._clocks) :]
        ]
        settled = [self._frames(clock) for clock in self._clocks]
        # Closed segments have given everything; the tracker still extends an open one.
        done = sum(segment.closed for segment in segments)
        del self._clocks[:done], segments[:done]
        self.statistics.segments += done
        self.statistics.syncs = self._tracker.accepted
        self.statistics.rejected_syncs = self._tracker.rejected
        self.statistics.flywheel_syncs = self._tracker.flywheel
        return [frames for frames in settled if frames is not None]

    def _frames(self, clock: "_OpenClock") -> FrameStarts | None:
        """Frames of a segment that have become sure, if there are any."""
        first, deviations, key = clock.settle()
        if deviations.size < 2:
            return None
        segment = clock.segment
        return FrameStarts(
            segment.start + first * FRAME_STEPS,
            segment.origin + first,
            deviations,
            key if self._key_only else np.ones(deviations.size, bool),
            self._shift_ps,
        )

    def _all(self, settled: list[FrameStarts]) -> NDArray[np.void]:
        """Clicks of sure frames, one after another, without a gate."""
        parts = [self._place(frames, None, 0)[0].view(CLICK_DTYPE) for frames in settled]
        return joined(parts, CLICK_DTYPE)

    def _place(
        self, frames: FrameStarts, gate: ClickGate | None, room: int
    ) -> tuple[NDArray[np.uint8], list[PlacedTags]]:
        """Place the tags of sure frames; give the bytes of their clicks behind some room."""
        last = int((frames.starts[-1] - frames.shift_ps) / FINE_PS) + frames.origin + 1
        here = [place for place, part in enumerate(self._parts) if part.earliest <= last]
        count = here[-1] + 1 if here else 0
        taken = self._parts[:count]
        kind = CLICK_DTYPE if gate is None else np.dtype(np.uint32)
        clicks: NDArray[Any] = np.empty(room + sum(part.words.size for part in taken), kind)
        end, placed = room, []
        for part in taken:
            found = place_tags(frames, part, gate, clicks[end:])
            end += found.clicks.size
            placed.append(found)
        self._parts[:count] = [found.later for found in placed if found.later.size]
        self.statistics.unindexed += sum(found.before for found in placed)
        self.statistics.indexed += sum(found.wanted for found in placed)
        self.statistics.not_key += sum(found.inside - found.wanted for found in placed)
        return clicks[:end].view(np.uint8), placed

    def _drop(self, bound: int) -> None:
        """Drop tags before a time."""
        if all(part.earliest >= bound for part in self._parts):
            return
        before = sum(part.size for part in self._parts)
        tags = [part.unpacked() for part in self._parts]
        self._parts = [part for some in tags for part in pack_tags(some[some["time"] >= bound])]
        self.statistics.unindexed += before - sum(part.size for part in self._parts)


def _pieces(frames: FrameStarts) -> Iterator[FrameStarts]:
    """Cut frames into pieces that packed clicks can count; each begins where the last one ends."""
    count = frames.deviations.size - 1
    if count <= _LARGEST_PIECE:
        yield frames
        return
    for begin in range(0, count, _LARGEST_PIECE):
        part = slice(begin, min(begin + _LARGEST_PIECE, count) + 1)
        yield frames._replace(
            origin=frames.origin + begin * FRAME_STEPS,
            counter=frames.counter + begin,
            deviations=frames.deviations[part],
            key=frames.key[part],
        )


class _OpenClock:
    """A segment's clock, with the last frame start that was given, which opens the next frames."""

    def __init__(self, segment: Segment, fit: tuple[int, int, int]) -> None:
        self.segment = segment
        self._clock = FrameClock(segment, *fit)
        self._deviation = np.empty(0)
        self._key = np.empty(0, bool)

    def settle(self) -> tuple[int, NDArray[np.float64], NDArray[np.bool]]:
        """See `FrameClock.settle`."""
        first, deviations, key = self._clock.settle()
        first -= self._deviation.size
        deviations = np.concatenate([self._deviation, deviations])
        key = np.concatenate([self._key, key])
        self._deviation, self._key = deviations[-1:], key[-1:]
        return first, deviations, key
