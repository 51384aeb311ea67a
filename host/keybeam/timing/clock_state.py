"""The transmitter's clock as the receiver sees it: offset, rate and drift, with uncertainty."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FRAME_DURATION_PS
from keybeam.protocol.records import FINE_PS
from keybeam.timing.decoding import DecodedChunk
from keybeam.timing.tracking import FRAME_STEPS, Segment, SyncTracker

__all__ = ["ClockEstimator", "ClockState"]

_FRAME_S = float(FRAME_DURATION_PS) * 1e-12
_LEAST_WORDS = 8
"""Sync words of a window below which it has no state: with three unknowns, fewer say too little
about their own scatter."""
_CLIP = 4.0
"""Residuals beyond this many robust standard deviations are outliers: one sound word in 16 000."""
_CLIP_ROUNDS = 10
_MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution by its median absolute deviation."""
_RESOLUTION_PS = FINE_PS / np.sqrt(12)
"""Scatter of words by the steps of their times alone, the least that is ever assumed."""


@dataclass(frozen=True)
class ClockState:
    """State of the transmitter's clock at the start of a frame, from the sync words around it.

    The frame ``counter + k`` starts ``offset + rate k T + drift (k T)² / 2`` later than it would if
    all frames from the segment's first sync word on were as long as T, the nominal duration. So a
    positive rate means that the transmitter's clock is slow, or that it moves away.

    Attributes
    ----------
    counter : int
        Frame counter of the transmitter.
    segment_counter, segment_start : int
        Counter of the first frame of the unbroken run of frames it belongs to, and unwrapped time
        of that frame's sync word in fine steps. A restart of either end begins another segment.
    offset_ps : float
        Start of the frame less ``segment_start`` and ``counter - segment_counter`` nominal
        durations, in ps.
    rate : float
        Relative excess of the frame's duration; 1e-6 is one ppm.
    drift : float
        Change of the rate in a second, in 1/s.
    covariance : ndarray of float64, shape (3, 3)
        Of offset, rate and drift, from the scatter of the sync words.
    first_counter, last_counter : int
        Frames of the first and the last sync word used.
    words : int
        Sync words used.
    outliers : int
        Sync words of these frames that were left out.
    scatter_ps : float
        Standard deviation of the words about the state, in ps.
    """

    counter: int
    segment_counter: int
    segment_start: int
    offset_ps: float
    rate: float
    drift: float
    covariance: NDArray[np.float64]
    first_counter: int
    last_counter: int
    words: int
    outliers: int
    scatter_ps: float

    @property
    def offset_error_ps(self) -> float:
        """Standard error of `offset_ps`."""
        return float(np.sqrt(self.covariance[0, 0]))

    @property
    def rate_error(self) -> float:
        """Standard error of `rate`."""
        return float(np.sqrt(self.covariance[1, 1]))

    @property
    def drift_error(self) -> float:
        """Standard error of `drift`."""
        return float(np.sqrt(self.covariance[2, 2]))

    def start_ps(self, counter: int) -> float:
        """Start of a frame by this state, in ps after ``segment_start``.

        Parameters
        ----------
        counter : int
            Frame counter; outside of `first_counter` to `last_counter` it is an extrapolation.
        """
        nominal = (counter - self.segment_counter) * float(FRAME_DURATION_PS)
        return nominal + float(_powers(self, counter) @ [self.offset_ps, self.rate, self.drift])

    def start_error_ps(self, counter: int) -> float:
        """Give the standard error of `start_ps`.

        Parameters
        ----------
        counter : int
            Frame counter.
        """
        powers = _powers(self, counter)
        return float(np.sqrt(powers @ self.covariance @ powers))


def _powers(state: ClockState, counter: int) -> NDArray[np.float64]:
    seconds = (counter - state.counter) * _FRAME_S
    return np.array([1.0, seconds * 1e12, seconds**2 / 2 * 1e12])


class ClockEstimator:
    """Estimate the clock from sync words, window by window.

    `SyncTracker` decides which words belong together: what is lost, doubled, out of place or only
    the flywheel's takes no part, and a gap or a restart begins anew. In each window of frames a
    parabola is fitted by least squares; words that still lie far off by the median absolute
    deviation are left out (Rousseeuw and Leroy, Robust Regression and Outlier Detection, 1987). The
    state is given for the window's middle, where it is known best: to 3/2 scatter / √words.

    Parameters
    ----------
    window_frames : int
        Frames of a window; 954 are 100 ms.
    hole_frames : int
        Frames without a sync word that end a segment, less one.

    Attributes
    ----------
    rejected, flywheel : int
        Sync words so far that fit into no segment, and those with the flywheel's time.
    """

    def __init__(self, window_frames: int = 954, hole_frames: int = 64) -> None:
        if window_frames < _LEAST_WORDS or hole_frames < 1:
            raise ValueError(f"a window has {_LEAST_WORDS} frames or more, a hole at least one")
        self._window = window_frames
        self._tracker = SyncTracker(hole_frames)
        self._open: list[_Window] = []

    @property
    def rejected(self) -> int:
        """Sync words so far that fit into no segment."""
        return self._tracker.rejected

    @property
    def flywheel(self) -> int:
        """Sync words so far that have the flywheel's time."""
        return self._tracker.flywheel

    def feed(self, chunk: DecodedChunk) -> list[ClockState]:
        """Take decoded records and give the states of the windows that are over.

        Parameters
        ----------
        chunk : DecodedChunk
            The next part of the stream.
        """
        self._tracker.feed(chunk.syncs)
        self._tracker.expire(chunk.lower_bound)
        return self._settle()

    def finish(self) -> list[ClockState]:
        """Give the states that are left at the end of the stream."""
        self._tracker.close()
        return self._settle()

    def _settle(self) -> list[ClockState]:
        segments = self._tracker.segments
        self._open += [_Window(segment, self._window) for segment in segments[len(self._open) :]]
        states = [state for window in self._open for state in window.settle()]
        done = sum(segment.closed for segment in segments)
        del self._open[:done], segments[:done]
        return states


class _Window:
    """The words of a segment that wait for their window to be full."""

    def __init__(self, segment: Segment, frames: int) -> None:
        self._segment = segment
        self._length = frames
        self._frames = np.empty(0, np.int64)
        self._times = np.empty(0, np.int64)

    def settle(self) -> list[ClockState]:
        """States of the windows that are over."""
        frames, times, _ = self._segment.take()
        self._frames = np.concatenate([self._frames, frames])
        self._times = np.concatenate([self._times, times])
        numbers = self._frames // self._length
        newest = self._segment.last_frame // self._length + int(self._segment.closed)
        over = int(np.searchsorted(numbers, newest))
        borders = np.flatnonzero(np.diff(numbers[:over])) + 1
        parts = zip(
            np.split(self._frames[:over], borders),
            np.split(self._times[:over], borders),
            strict=True,
        )
        states = [
            _fit(self._segment, *part, self._length)
            for part in parts
            if part[0].size >= _LEAST_WORDS
        ]
        self._frames, self._times = self._frames[over:], self._times[over:]
        return states


def _fit(
    segment: Segment, frames: NDArray[np.int64], times: NDArray[np.int64], window: int
) -> ClockState:
    """Fit a parabola to the words of a window, outliers left out."""
    middle = int(frames[0] // window * window + window // 2)
    middle = min(max(middle, int(frames[0])), int(frames[-1]))
    deviation = (times - frames * FRAME_STEPS) * FINE_PS
    origin = float(np.median(deviation))
    value = deviation - origin
    # Scaled, so that the columns are of one size whatever the window.
    scale = float(window)
    x = (frames - middle) / scale
    columns = np.stack([np.ones_like(x), x, x**2], axis=1)
    used = np.ones(frames.size, bool)
    for _ in range(_CLIP_ROUNDS):
        coefficients = np.linalg.lstsq(columns[used], value[used], rcond=None)[0]
        residual = np.abs(value - columns @ coefficients)
        sigma = max(_MAD_TO_SIGMA * float(np.median(residual[used])), _RESOLUTION_PS)
        sound = residual <= _CLIP * sigma
        if np.count_nonzero(sound) < _LEAST_WORDS or (sound == used).all():
            break
        used = sound
    fitted = columns[used]
    left = value[used] - fitted @ coefficients
    variance = max(float(left @ left) / (left.size - 3), _RESOLUTION_PS**2)
    # From ps per scaled frame to the units of offset, rate and drift.
    step_ps = scale * float(FRAME_DURATION_PS)
    units = np.array([1.0, 1 / step_ps, 2 / step_ps**2 * 1e12])
    state = coefficients * units
    covariance = variance * np.linalg.inv(fitted.T @ fitted) * np.outer(units, units)
    return ClockState(
        counter=segment.origin + middle,
        segment_counter=segment.origin,
        segment_start=segment.start,
        offset_ps=float(state[0]) + origin,
        rate=float(state[1]),
        drift=float(state[2]),
        covariance=covariance,
        first_counter=segment.origin + int(frames[used][0]),
        last_counter=segment.origin + int(frames[used][-1]),
        words=int(np.count_nonzero(used)),
        outliers=int(np.count_nonzero(~used)),
        scatter_ps=float(np.sqrt(variance)),
    )
