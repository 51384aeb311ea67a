"""Times of sync words from the edges of the line around them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FRAME_BITS
from keybeam.protocol.records import FINE_PS
from keybeam.timing.tracking import FRAME_STEPS

__all__ = ["RefinedSyncs", "refine_sync_times"]

_LEAST_EDGES = 8
"""Edges of a word below which it keeps its time: a line through fewer says too little."""
_CLIP = 4.0
_MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution by its median absolute deviation."""
_ROUNDS = 3
"""The first finds the time to some 0.1 ns, the next ones leave out what does not belong there."""


class RefinedSyncs(NamedTuple):
    """Sync words with better times.

    Attributes
    ----------
    syncs : ndarray of SYNC_DTYPE, shape (n,)
        The words; `time` is the fitted one where there were enough edges.
    error_ps : ndarray of float64, shape (n,)
        Standard error of the fitted time by the scatter of its edges; NaN where there were not.
    edges : ndarray of int64, shape (n,)
        Edges that were used.
    """

    syncs: NDArray[np.void]
    error_ps: NDArray[np.float64]
    edges: NDArray[np.int64]

    def part(self, given: slice) -> "RefinedSyncs":
        """Give some of the words in a row."""
        return RefinedSyncs(self.syncs[given], self.error_ps[given], self.edges[given])


def refine_sync_times(syncs: NDArray[np.void], edges: NDArray[np.int64]) -> RefinedSyncs:
    """Fit the times of sync words to edges of the line, as the tagger times them.

    The receiver times a word by the sample in which it begins, to 1.6 ns. But all edges of a frame
    lie at whole bits from its beginning. So a straight line is fitted, by least squares, to the
    times of the edges half a frame to either side over their distance in bits: its value at
    the word is the word's time, its slope what the bits last. As the edges lie around the word,
    errors of the two have nothing to do with each other, and the time's is
    σ / √(number of edges) (e.g. Bevington and Robinson, Data Reduction and Error Analysis, §6.4).

    Any part of the edges will do: a board sends every 64th, for instance.

    Parameters
    ----------
    syncs : ndarray of SYNC_DTYPE, shape (n,)
        Words in the order of time, right to 3 ns. Those with the flywheel's time stay as they are.
    edges : ndarray of int64, shape (m,)
        Times of edges in fine steps on the same scale, in order; rising or falling ones or both.

    Returns
    -------
    RefinedSyncs
    """
    refined = syncs.copy()
    error_ps, used = np.full(syncs.size, np.nan), np.zeros(syncs.size, np.int64)
    seen = np.flatnonzero(~syncs["flywheel"])
    if seen.size < 2 or edges.size == 0:
        return RefinedSyncs(refined, error_ps, used)
    origin = syncs["time"][seen[0]]
    start = (syncs["time"][seen] - origin).astype(float)
    bit = _bit_lengths(start)
    near = np.searchsorted((start[1:] + start[:-1]) / 2, edges - origin)
    since = (edges - origin).astype(float)
    keep = np.abs(since - start[near]) <= FRAME_STEPS / 2
    near, since = near[keep], since[keep]
    weight = np.ones(since.size)
    scatter = np.zeros(seen.size)
    for _ in range(_ROUNDS):
        place = np.rint((since - start[near]) / bit[near])
        left = since - start[near] - place * bit[near]
        offset, slope = _lines(near, place, left, weight, seen.size)
        start, bit = start + offset, bit + slope
        left = left - offset[near] - slope[near] * place
        scatter = _scatter(near, left, weight, seen.size)
        weight = (np.abs(left) <= _CLIP * np.maximum(scatter[near], 1.0)).astype(float)
    counts = np.bincount(near, weight, seen.size)
    enough = counts >= _LEAST_EDGES
    refined["time"][seen[enough]] = origin + np.rint(start[enough]).astype(np.int64)
    error_ps[seen[enough]] = (scatter * FINE_PS / np.sqrt(np.maximum(counts, 1)))[enough]
    used[seen[enough]] = counts[enough].astype(np.int64)
    return RefinedSyncs(refined, error_ps, used)


def _bit_lengths(start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of a bit around each word in fine steps, by the words beside it."""
    frames = np.maximum(1, np.rint(np.diff(start) / FRAME_STEPS))
    between = np.diff(start) / frames / FRAME_BITS
    padded = np.concatenate([between[:1], between, between[-1:]])
    return np.asarray((padded[1:] + padded[:-1]) / 2)


def _lines(
    near: NDArray[np.intp],
    place: NDArray[np.float64],
    left: NDArray[np.float64],
    weight: NDArray[np.float64],
    words: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offset and slope of the straight line through the edges of each word."""
    count, x, xx, y, xy = (
        np.bincount(near, weight * values, words)
        for values in (np.ones_like(left), place, place**2, left, place * left)
    )
    determinant = count * xx - x**2
    # Edges in one place give no slope.
    sound = determinant > count
    slope = np.where(sound, count * xy - x * y, 0.0) / np.where(sound, determinant, 1.0)
    return (y - slope * x) / np.maximum(count, 1.0), slope


def _scatter(
    near: NDArray[np.intp], left: NDArray[np.float64], weight: NDArray[np.float64], words: int
) -> NDArray[np.float64]:
    """Robust standard deviation of all edges, and by it the one of each word's own edges."""
    overall = _MAD_TO_SIGMA * float(np.median(np.abs(left)))
    inside = weight * (np.abs(left) <= _CLIP * max(overall, 1.0))
    degrees = np.maximum(np.bincount(near, inside, words) - 2, 1.0)
    return np.asarray(np.sqrt(np.bincount(near, inside * left**2, words) / degrees))
