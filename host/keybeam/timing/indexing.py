"""The pulse index of every detection, from the times and counters of the sync words."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.records import FINE_PS
from keybeam.timing.clicks import CLICK_DTYPE
from keybeam.timing.clock import FrameClock
from keybeam.timing.decoding import TAG_DTYPE, DecodedChunk
from keybeam.timing.joining import joined
from keybeam.timing.placing import FrameStarts, place_tags
from keybeam.timing.tracking import FRAME_STEPS, Segment, SyncTracker

__all__ = ["IndexingStatistics", "PulseIndexer"]


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
        # Parts of the stream, each joined with others once, when its frames have become sure.
        self._parts: list[_Part] = []
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
        self._parts += _parts(chunk.tags)
        self._tracker.feed(chunk.syncs)
        self._tracker.expire(chunk.lower_bound)
        clicks = self._settle()
        self._drop(chunk.lower_bound - self._patience)
        return clicks

    def finish(self) -> NDArray[np.void]:
        """Give the clicks that are left at the end of the stream."""
        self._tracker.close()
        clicks = self._settle()
        self.statistics.unindexed += sum(part.tags.size for part in self._parts)
        self._parts = []
        return clicks

    def _settle(self) -> NDArray[np.void]:
        segments = self._tracker.segments
        self._clocks += [
            _OpenClock(segment, self._fit) for segment in segments[len(self._clocks) :]
        ]
        parts = [self._index(clock) for clock in self._clocks]
        # Closed segments have given everything; the tracker still extends an open one.
        done = sum(segment.closed for segment in segments)
        del self._clocks[:done], segments[:done]
        self.statistics.segments += done
        self.statistics.syncs = self._tracker.accepted
        self.statistics.rejected_syncs = self._tracker.rejected
        self.statistics.flywheel_syncs = self._tracker.flywheel
        return joined(parts, CLICK_DTYPE)

    def _index(self, clock: "_OpenClock") -> NDArray[np.void]:
        """Clicks of the frames of a segment that have become sure."""
        first, deviations, key = clock.settle()
        if deviations.size < 2:
            return np.empty(0, CLICK_DTYPE)
        segment = clock.segment
        frames = FrameStarts(
            segment.start + first * FRAME_STEPS,
            segment.origin + first,
            deviations,
            key if self._key_only else np.ones(deviations.size, bool),
            self._shift_ps,
        )
        end = int((frames.starts[-1] - frames.shift_ps) / FINE_PS) + frames.origin + 1
        here = [place for place, part in enumerate(self._parts) if part.earliest <= end]
        count = here[-1] + 1 if here else 0
        placed = place_tags(frames, joined([p.tags for p in self._parts[:count]], TAG_DTYPE))
        self._parts[:count] = _parts(placed.later)
        self.statistics.unindexed += placed.before
        self.statistics.indexed += placed.clicks.size
        self.statistics.not_key += placed.inside - placed.clicks.size
        return placed.clicks

    def _drop(self, bound: int) -> None:
        """Drop tags before a time."""
        if all(part.earliest >= bound for part in self._parts):
            return
        kept = [part.tags[part.tags["time"] >= bound] for part in self._parts]
        before = sum(part.tags.size for part in self._parts)
        self.statistics.unindexed += before - sum(tags.size for tags in kept)
        self._parts = [part for tags in kept for part in _parts(tags)]


class _Part(NamedTuple):
    """Tags that wait for their index, at least one, and the earliest of their times."""

    tags: NDArray[np.void]
    earliest: int


def _parts(tags: NDArray[np.void]) -> list[_Part]:
    """One part, or none where there are no tags."""
    return [_Part(tags, int(tags["time"].min()))] if tags.size else []


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
