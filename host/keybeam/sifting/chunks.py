"""Chunks: the clicks that are asked about in one message."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["ChunkCutter"]


class ChunkCutter:
    """Cuts a stream of clicks into chunks of a bounded time and number.

    Where a chunk ends depends on the clicks alone, not on how they arrive, so a
    repeated run cuts in the same places: the pulse indices are divided into
    windows of `window_slots`, and a window with more than `maximum_clicks`
    gives several chunks.

    Parameters
    ----------
    window_slots : int
        Length of a window in pulse slots, more than 0.
    maximum_clicks : int
        Most clicks of a chunk, more than 0.
    """

    def __init__(self, window_slots: int, maximum_clicks: int) -> None:
        self._window_slots = np.uint64(window_slots)
        self._maximum_clicks = maximum_clicks
        self._pending: NDArray[np.void] | None = None

    def feed(self, clicks: NDArray[np.void]) -> list[NDArray[np.void]]:
        """Add clicks; return the chunks that are complete.

        Parameters
        ----------
        clicks : structured ndarray with a field "index" (uint64), increasing
            Clicks later than all before.
        """
        if self._pending is not None:
            clicks = np.concatenate((self._pending, clicks))
        windows = clicks["index"] // self._window_slots
        edges = [0, *(np.flatnonzero(windows[1:] != windows[:-1]) + 1).tolist(), clicks.size]
        chunks = []
        for begin, end in pairwise(edges):
            while end - begin > self._maximum_clicks or (begin < end < clicks.size):
                stop = min(begin + self._maximum_clicks, end)
                chunks.append(clicks[begin:stop])
                begin = stop
        self._pending = clicks[begin:] if clicks.size else None
        return chunks

    def flush(self) -> list[NDArray[np.void]]:
        """Return what is left as a last chunk, or nothing."""
        rest, self._pending = self._pending, None
        return [rest] if rest is not None and rest.size else []
