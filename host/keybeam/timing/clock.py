"""Smooth sync times of one segment: a local fit over neighbouring sync words."""

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.records import FINE_PS
from keybeam.timing.tracking import FRAME_STEPS, Segment

__all__ = ["FrameClock"]

_CLIP = 3.5
"""Residuals beyond this many standard deviations are left out of the fit."""
_CLIP_ROUNDS = 3
_MEAN_PRIOR = 1e-9
_RATE_PRIOR = (100.0 / 1e4) ** 2
_CURVATURE_PRIOR = (100.0 / 0.02) ** 2
"""Ridge terms of the fit: (noise of a sync word / expected size of the coefficient)², for a rate
within 10 ns a frame (100 ppm) and a curvature within 0.02 ps a frame² (ten times the Doppler rate
of 0.366 ppm/s on a 500 km orbit). They decide only where there are too few sync words to. The one
of the mean only keeps rows solvable that hold no sync word and are not used."""
_BATCH = 16
"""Blocks fitted at once. Always this many, so that rounding does not depend on their number."""


class FrameClock:
    """Start times of the frames of a segment, smoothed.

    The times' deviation from the nominal period is fitted, for every `stride` frames, by a
    quadratic over the sync words from `back` frames before these to `ahead` frames after them
    (a local polynomial regression: Cleveland, J. Am. Stat. Assoc. 74, 829, 1979), outliers left out
    by sigma clipping. Which sync words take part depends on frame numbers only, not on the chunks
    in which they came.

    Parameters
    ----------
    segment : Segment
        Where the sync words come from.
    back, ahead, stride : int
        Extent of the fit, in frames.
    """

    def __init__(self, segment: Segment, back: int, ahead: int, stride: int) -> None:
        self._segment = segment
        self._back, self._ahead, self._stride = back, ahead, stride
        self._settled = 0
        # A grid of one element a frame, from frame `_settled - back` on.
        self._deviation = np.zeros(back)
        self._present = np.zeros(back, bool)
        self._flags = np.full(back, -1, np.int64)
        width = back + stride + ahead
        self._x = np.arange(width) - (back + stride / 2)
        self._powers = self._x[:, None] ** np.arange(5)

    def settle(self) -> tuple[int, NDArray[np.float64], NDArray[np.bool]]:
        """Frames whose start has become sure since the last call.

        Returns
        -------
        first : int
            Number of the first of them, counted from the segment's origin.
        deviations : ndarray of float64, shape (n,)
            Start of each frame less ``frame × nominal duration``, in picoseconds since the
            segment's start.
        key : ndarray of bool, shape (n,)
            Whether the frame's mode flags allow key: its header says so, or, where it could not be
            read, those of the nearest readable ones before and after it do.
        """
        self._grow()
        grid_end = self._settled - self._back + self._deviation.size
        if self._segment.closed:
            end = grid_end
            blocks = -(-(end - self._settled) // self._stride)
        else:
            blocks = max(0, (grid_end - self._ahead - self._settled) // self._stride)
            end = self._settled + blocks * self._stride
        first, count = self._settled, end - self._settled
        if count <= 0:
            return first, np.empty(0), np.empty(0, bool)
        batches = [self._fit(block).ravel() for block in range(0, blocks, _BATCH)]
        deviations = np.concatenate(batches)[:count]
        key = self._key(count)
        self._settled = end
        self._deviation = self._deviation[count:]
        self._present = self._present[count:]
        self._flags = self._flags[count:]
        return first, deviations, key

    def _grow(self) -> None:
        """Enter the segment's new sync words into the grid."""
        frames, times, flags = self._segment.take()
        if frames.size == 0:
            return
        place = frames - (self._settled - self._back)
        more = int(place[-1]) + 1 - self._deviation.size
        self._deviation = np.concatenate([self._deviation, np.zeros(more)])
        self._present = np.concatenate([self._present, np.zeros(more, bool)])
        self._flags = np.concatenate([self._flags, np.full(more, -1, np.int64)])
        self._deviation[place] = (times - frames * FRAME_STEPS) * FINE_PS
        self._present[place] = True
        self._flags[place] = flags

    def _windows(self, grid: NDArray[np.float64], block: int) -> NDArray[np.float64]:
        """Part of the grid that each block of a batch is fitted over, shape (_BATCH, width)."""
        width = self._x.size
        start = block * self._stride
        need = start + (_BATCH - 1) * self._stride + width
        part = np.pad(grid[start:need], (0, max(0, need - grid.size)))
        return np.lib.stride_tricks.sliding_window_view(part, width)[:: self._stride].copy()

    def _fit(self, block: int) -> NDArray[np.float64]:
        """Fitted deviations of the frames of a batch of blocks, shape (_BATCH, stride)."""
        weight = self._windows(self._present.astype(np.float64), block)
        value = self._windows(self._deviation, block)
        mean = (weight * value).sum(1) / np.maximum(weight.sum(1), 1)
        value -= mean[:, None]
        coefficients = self._solve(weight, value)
        for _ in range(_CLIP_ROUNDS):
            residual = ((value - coefficients @ self._powers[:, :3].T) * weight) ** 2
            variance = residual.sum(1) / np.maximum(weight.sum(1), 1)
            outlier = residual > np.maximum(_CLIP**2 * variance, 1.0)[:, None]
            if not outlier.any():
                break
            weight[outlier] = 0
            coefficients = self._solve(weight, value)
        at = self._powers[self._back : self._back + self._stride, :3]
        fitted: NDArray[np.float64] = coefficients @ at.T + mean[:, None]
        return fitted

    def _solve(
        self, weight: NDArray[np.float64], value: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Coefficients of 1, x, x² of the ridge regression of each row."""
        moments = weight @ self._powers
        matrix = moments[:, np.add.outer(np.arange(3), np.arange(3))]
        matrix += np.diag([_MEAN_PRIOR, _RATE_PRIOR, _CURVATURE_PRIOR])
        right = (weight * value) @ self._powers[:, :3]
        return np.linalg.solve(matrix, right[:, :, None])[:, :, 0]

    def _key(self, count: int) -> NDArray[np.bool]:
        """Whether each of the frames to be settled may make key."""
        reach = self._back + count + self._ahead
        flags = self._flags[:reach]
        place = np.arange(flags.size)
        known = flags >= 0
        before = np.maximum.accumulate(np.where(known, place, -1))
        after = np.minimum.accumulate(np.where(known, place, flags.size)[::-1])[::-1]
        good = np.append(flags == FrameFlag.RUNNING, False)
        near = (place - before <= self._back) & (after - place <= self._ahead)
        fit: NDArray[np.bool] = (good[before] & good[after] & near)[self._back : self._back + count]
        return fit
