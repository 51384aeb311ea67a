"""The checks of a code, joined by its narrow columns, and how far they are from each other."""

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import _native

__all__ = ["FAR", "CheckGraph", "Entries"]

FAR = 255
"""Distance of checks that nothing joins."""

Entries = list[tuple[int, int]]
"""Row and shift of each entry of a block column."""


class CheckGraph:
    """A graph whose edges are the columns of degrees two and three.

    Parameters
    ----------
    rows : int
        Block rows.
    circulant : int
        Size of a circulant.
    """

    def __init__(self, rows: int, circulant: int) -> None:
        self.rows = rows
        self.circulant = circulant
        # Row, row, step and length of each edge: check k of the first row is joined with check
        # k + step of the second.
        self._edges = np.zeros((4, 0), np.int32)

    def join(self, entries: Entries) -> None:
        """Add the edges of a column.

        One of degree three is twice as long: a word through it has to come back on a third way.
        """
        edges = [
            (row, other, (shift - other_shift) % self.circulant, len(entries) - 1)
            for row, shift in entries
            for other, other_shift in entries
            if other != row
        ]
        self._edges = np.hstack([self._edges, np.array(edges, np.int32).T])

    @property
    def edges(self) -> NDArray[np.int32]:
        """Row, other row, step and length of each edge, shape (4, edges)."""
        return self._edges

    def distances(self, row: int) -> NDArray[np.uint8]:
        """Length of the shortest path from check 0 of a block row to every check.

        Returns
        -------
        ndarray of uint8, shape (rows, circulant)
            `FAR` where there is none.
        """
        origins, targets, steps, lengths = self._edges
        found = _native.find_distances(
            origins, targets, steps, lengths, self.circulant, self.rows, row
        )
        return found.reshape(self.rows, self.circulant)
