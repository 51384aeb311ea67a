"""Sync words of a capture, timed by the edges of the downlink around them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FRAME_DURATION_PS
from keybeam.protocol.records import FINE_PS, Channel
from keybeam.tags.capture import Capture, decode_capture
from keybeam.tags.errors import AnalysisError
from keybeam.timing import (
    SYNC_DTYPE,
    ClockEstimator,
    DecodedChunk,
    RefinedSyncs,
    refine_sync_times,
)

__all__ = ["SyncTimes", "capture_sync_times"]

_BLOCK_WORDS = 1024
"""Sync words that are fitted together."""


@dataclass(frozen=True)
class SyncTimes:
    """Sync words of a capture with their times by the receiver's samples and by the fit.

    Attributes
    ----------
    counters : ndarray of uint64, shape (n,)
        Frame counters; those of frames without a valid header say nothing.
    times_s : ndarray of float64, shape (n,)
        Times on the receiver's clock since the first word, in s.
    corrections_ps : ndarray of float64, shape (n,)
        Time by the fit less that by the samples; NaN where there were not enough edges.
    errors_ps : ndarray of float64, shape (n,)
        Standard error of the fitted time by the scatter of its edges; NaN likewise.
    edges : ndarray of int64, shape (n,)
        Edges used.
    sampled_scatter_ps, fitted_scatter_ps : float
        Median scatter of the words about the clock of each 0.1 s, by samples and by the fit; NaN
        if there are too few words.
    clock_error_ps : float
        Median standard error of a frame's start by that clock, from the fitted times.
    """

    counters: NDArray[np.uint64]
    times_s: NDArray[np.float64]
    corrections_ps: NDArray[np.float64]
    errors_ps: NDArray[np.float64]
    edges: NDArray[np.int64]
    sampled_scatter_ps: float
    fitted_scatter_ps: float
    clock_error_ps: float


def capture_sync_times(path: Path, channel: int) -> SyncTimes:
    """Fit the times of the sync words of a capture; see `keybeam.timing.refine_sync_times`.

    Parameters
    ----------
    path : Path
        The capture.
    channel : int
        Channel that recorded edges of the downlink.

    Raises
    ------
    AnalysisError
        If no sync word has enough edges around it.
    CaptureError
        If the capture is not sound.
    """
    sampled, fitted = [], []
    for before, after in _refined_blocks(path, channel):
        sampled.append(before)
        fitted.append(after)
    words = np.concatenate([np.zeros(0, SYNC_DTYPE), *sampled])
    refined = np.concatenate([np.zeros(0, SYNC_DTYPE), *(block.syncs for block in fitted)])
    errors = np.concatenate([np.zeros(0), *(block.error_ps for block in fitted)])
    edges = np.concatenate([np.zeros(0, np.int64), *(block.edges for block in fitted)])
    if not edges.any():
        raise AnalysisError(
            f"{path}: no sync word has enough edges of channel {Channel(channel).name} around it: "
            "record the downlink's, 16 a frame or more "
            "(keybeam rx channels LINE --enable --divider 256)"
        )
    moved = (refined["time"] - words["time"]) * FINE_PS
    (sampled_scatter, _), (fitted_scatter, clock_error) = map(_scatter, (words, refined))
    return SyncTimes(
        counters=words["counter"],
        times_s=(words["time"] - words["time"][0]) * FINE_PS * 1e-12,
        corrections_ps=np.where(edges > 0, moved, np.nan),
        errors_ps=errors,
        edges=edges,
        sampled_scatter_ps=sampled_scatter,
        fitted_scatter_ps=fitted_scatter,
        clock_error_ps=clock_error,
    )


def _refined_blocks(path: Path, channel: int) -> Iterator[tuple[NDArray[np.void], RefinedSyncs]]:
    """Sync words as recorded and as fitted, a block after the other.

    A word needs edges half a frame to either side, and the words beside it: a block overlaps with
    the next by three words, of which each block gives those that it sees from both sides.
    """
    syncs, edges = np.zeros(0, SYNC_DTYPE), np.zeros(0, np.int64)
    first = 0
    with Capture(path) as capture:
        for chunk in decode_capture(capture):
            syncs = np.concatenate([syncs, chunk.syncs])
            ours = chunk.tags["time"][chunk.tags["channel"] == channel]
            edges = np.concatenate([edges, ours])
            if syncs.size < _BLOCK_WORDS:
                continue
            refined = refine_sync_times(syncs, np.sort(edges))
            given = slice(first, syncs.size - 2)
            yield syncs[given], refined.part(given)
            edges = edges[edges >= syncs["time"][-4]]
            syncs, first = syncs[-4:], 2
    refined = refine_sync_times(syncs, np.sort(edges))
    yield syncs[first:], refined.part(slice(first, None))


def _scatter(syncs: NDArray[np.void]) -> tuple[float, float]:
    """Scatter of words about the clock of 0.1 s, and the error of a frame's start by it."""
    estimator = ClockEstimator(round(0.1e12 / FRAME_DURATION_PS))
    bound = int(syncs["time"][-1])
    chunk = DecodedChunk((), syncs, np.zeros(0, np.int64), (), bound)
    states = [*estimator.feed(chunk), *estimator.finish()]
    if not states:
        return float("nan"), float("nan")
    return (
        float(np.median([state.scatter_ps for state in states])),
        float(np.median([state.offset_error_ps for state in states])),
    )
