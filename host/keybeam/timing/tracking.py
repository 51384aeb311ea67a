"""Which sync words to believe: consistency of their times and counters with the frame period."""

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FRAME_DURATION_PS
from keybeam.protocol.records import FINE_PS

__all__ = ["FRAME_STEPS", "Segment", "SyncTracker"]

FRAME_STEPS = round(FRAME_DURATION_PS / FINE_PS)
"""Nominal frame duration in fine steps."""

_RATE_STEPS = FRAME_STEPS * 100 // 1_000_000
"""Allowance for the clock rate, 100 ppm in fine steps a frame: more than Doppler (23.4 ppm on a
500 km orbit) and free-running oscillators (50 ppm) together."""
_SLACK_STEPS = round(5_000 / FINE_PS)
"""Allowance for sampling and jitter of one sync word, 5 ns: one in about 5000 of the words found
by mistake anywhere in a frame passes, and it then still meets the fit's rejection."""
_AGREEING = 3
"""Sync words that must agree with each other before a segment starts."""
_BLOCK = 1024
"""Words that are tried at once: an irregular one costs the slow way for these only."""


class Segment:
    """Sync words of an unbroken run of the transmitter's frame counter, in order.

    Parameters
    ----------
    origin : int
        Counter of the first frame; frames are counted from it.
    start : int
        Unwrapped time of the first sync word in fine steps; times are counted from it.

    Attributes
    ----------
    closed : bool
        Whether no further sync word can join.
    last_frame, last_time : int
        Frame number and time of the newest sync word.
    """

    def __init__(self, origin: int, start: int) -> None:
        self.origin = origin
        self.start = start
        self.closed = False
        self.last_frame = self.last_time = 0
        self._new: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []

    def add(
        self, frames: NDArray[np.int64], times: NDArray[np.int64], flags: NDArray[np.int64]
    ) -> None:
        """Append sync words: frame numbers, times, and mode flags (-1 where unknown)."""
        self._new.append((frames, times, flags))
        self.last_frame, self.last_time = int(frames[-1]), int(times[-1])

    def take(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Frame numbers, times and flags of the sync words since the last call, once."""
        new, self._new = self._new, []
        empty = np.empty(0, np.int64)
        columns = zip((empty, empty, empty), *new, strict=True)
        frames, times, flags = (np.concatenate(column) for column in columns)
        return frames, times, flags


class SyncTracker:
    """Sort sync words into segments, whatever the chunks in which they come.

    A sync word belongs to the open segment when its distance to the last accepted one is a whole
    number of frame periods, no more than `hole_frames`, within the tolerance, and its counter
    (where its header is valid) is that of the last one plus that number. Three sync words that do
    not belong there but agree with each other start a new segment; a gap ends one.

    Parameters
    ----------
    hole_frames : int
        Frames without an accepted sync word that end a segment, less one.

    Attributes
    ----------
    segments : list of Segment
        Segments in order; only the last can be open.
    accepted, rejected, flywheel : int
        Sync words so far; those with the flywheel's time say nothing about the clock and are
        not used.
    """

    def __init__(self, hole_frames: int) -> None:
        self.segments: list[Segment] = []
        self.accepted = self.rejected = self.flywheel = 0
        self._hole = hole_frames
        self._candidates: list[tuple[int, int | None, int]] = []
        self._gaps = self._gaps_seen = 0

    def feed(self, syncs: NDArray[np.void]) -> None:
        """Take the next sync words.

        Parameters
        ----------
        syncs : ndarray of SYNC_DTYPE
            In the order of time.
        """
        # What a gap separates stays separated, also where the word after it is the flywheel's.
        gaps = self._gaps + np.cumsum(syncs["after_gap"])
        seen = ~syncs["flywheel"]
        self.flywheel += syncs.size - int(np.count_nonzero(seen))
        breaks = np.diff(gaps[seen], prepend=self._gaps_seen) > 0
        words = syncs[seen]
        for start in range(0, words.size, _BLOCK):
            self._block(words[start : start + _BLOCK], breaks[start : start + _BLOCK])
        if syncs.size:
            self._gaps = int(gaps[-1])
        if words.size:
            self._gaps_seen = int(gaps[seen][-1])

    def close(self) -> None:
        """End the open segment: nothing later joins it."""
        if self.segments:
            self.segments[-1].closed = True

    def expire(self, time: int) -> None:
        """End the open segment if no sync word at or after `time` can belong to it."""
        if self.segments:
            segment = self.segments[-1]
            if time - segment.start - segment.last_time > (self._hole + 1) * FRAME_STEPS:
                self.close()

    def _block(self, words: NDArray[np.void], breaks: NDArray[np.bool]) -> None:
        if breaks.any() or not self._extend(words):
            for word, after_gap in zip(words.tolist(), breaks.tolist(), strict=True):
                if after_gap:
                    self.close()
                    self._reject(len(self._candidates))
                time, counter, flags, _, valid, *_ = word
                self._step(time, counter if valid else None, flags if valid else -1)

    def _extend(self, words: NDArray[np.void]) -> bool:
        """Accept all words at once if each follows from the one before; else none."""
        if not self.segments or self.segments[-1].closed or self._candidates:
            return False
        segment = self.segments[-1]
        times = words["time"] - segment.start
        steps = np.diff(times, prepend=segment.last_time)
        ahead = (steps + FRAME_STEPS // 2) // FRAME_STEPS
        frames = segment.last_frame + np.cumsum(ahead)
        counted = (words["counter"] - np.uint64(segment.origin)).astype(np.int64) == frames
        regular = (
            (ahead >= 1)
            & (ahead <= self._hole)
            & (np.abs(steps - ahead * FRAME_STEPS) <= _SLACK_STEPS + ahead * _RATE_STEPS)
            & (counted | ~words["valid"])
        )
        if not regular.all():
            return False
        segment.add(frames, times, np.where(words["valid"], words["flags"].astype(np.int64), -1))
        self.accepted += words.size
        return True

    def _step(self, time: int, counter: int | None, flags: int) -> None:
        """Take one word: accept it, or keep it as a candidate for a new segment."""
        if self.segments and not self.segments[-1].closed:
            segment = self.segments[-1]
            ahead = self._frames_between(segment.start + segment.last_time, time)
            frame = segment.last_frame + (ahead or 0)
            if ahead is not None and counter in (None, segment.origin + frame):
                self._reject(len(self._candidates))
                self._accept(segment, [(frame, time, flags)])
                return
        self._candidates.append((time, counter, flags))
        if len(self._candidates) == _AGREEING:
            self._start()

    def _start(self) -> None:
        """Start a segment from the candidates if they agree, else drop the oldest."""
        frames, origins = [0], set()
        for place, (time, counter, _) in enumerate(self._candidates):
            if place:
                ahead = self._frames_between(self._candidates[place - 1][0], time)
                if ahead is None:
                    self._reject(1)
                    return
                frames.append(frames[-1] + ahead)
            if counter is not None:
                origins.add(counter - frames[-1])
        if len(origins) != 1 or min(origins) < 0:
            self._reject(1)
            return
        self.close()
        segment = Segment(origins.pop(), self._candidates[0][0])
        self.segments.append(segment)
        words = zip(frames, self._candidates, strict=True)
        self._accept(segment, [(frame, time, flags) for frame, (time, _, flags) in words])
        self._candidates = []

    def _accept(self, segment: Segment, words: list[tuple[int, int, int]]) -> None:
        frames, times, flags = np.array(words, np.int64).T
        segment.add(frames, times - segment.start, flags)
        self.accepted += len(words)

    def _reject(self, count: int) -> None:
        self._candidates = self._candidates[count:]
        self.rejected += count

    def _frames_between(self, before: int, after: int) -> int | None:
        """Whole frames between two times, or None where there is no such number."""
        ahead = (after - before + FRAME_STEPS // 2) // FRAME_STEPS
        off = abs(after - before - ahead * FRAME_STEPS)
        fits = 1 <= ahead <= self._hole and off <= _SLACK_STEPS + ahead * _RATE_STEPS
        return ahead if fits else None
