"""Placement of the circulants of a code, so that short cycles and light words are few.

In the manner of progressive edge growth (X.-Y. Hu, E. Eleftheriou, D.-M. Arnold, "Regular and
irregular progressive edge-growth Tanner graphs", IEEE Trans. Inf. Theory 51 (2005) 386): columns
are placed one after another, the narrowest first. A column of degree two is an edge between two
checks; a cycle of such edges is a word of the code, as light as the cycle is short. So every new
one joins checks that are as far from each other as can be, and the checks of a column of degree
three, with paths of such edges between them, are chosen in the same way. Of the others it is
asked that no two columns close a cycle of length four.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation.design.check_graph import FAR, CheckGraph, Entries

__all__ = ["place_circulants"]

_CANDIDATES = 8
"""Block rows, those with the fewest entries, among which the farthest check is chosen."""


_COPIES = (2, 4, 5)
"""Parts of a circulant in which a column may meet itself."""


class _Placement:
    """A growing base matrix that knows which shift differences are taken."""

    def __init__(self, rows: int, circulant: int, generator: np.random.Generator) -> None:
        self.circulant = circulant
        self.generator = generator
        self.row_degrees = np.zeros(rows, np.int64)
        self.graph = CheckGraph(rows, circulant)
        self.columns: list[Entries] = []
        self.shifts = np.arange(circulant)
        # taken[a, b, d]: some column has shifts in rows a and b with shift_a - shift_b = d;
        # a second one would close a cycle of length four.
        self.taken = np.zeros((rows, rows, circulant), np.bool_)

    def _by_degree(self) -> list[int]:
        """Rows, those with the fewest entries first, in random order among equals."""
        chance = self.generator.random(self.row_degrees.size)
        return [int(row) for row in np.lexsort((chance, self.row_degrees))]

    def _allowed(self, entries: Entries, row: int) -> NDArray[np.bool_]:
        """Which shifts in a row close no cycle of length four with the entries so far."""
        rows, shifts = np.array(entries, np.intp).reshape(-1, 2).T
        places = (shifts[:, None] - self.shifts) % self.circulant
        closing: NDArray[np.bool_] = self.taken[rows[:, None], row, places].any(axis=0)
        return ~closing

    def far_column(self, degree: int) -> None:
        """Place a column at checks far from each other."""
        order = self._by_degree()
        entries: Entries = [(order[0], int(self.generator.integers(self.circulant)))]
        nearest = np.full(self.taken.shape[1:], float(FAR))
        while len(entries) < degree:
            row, shift = entries[-1]
            nearest = np.minimum(nearest, self._distances(row, shift))
            used = [row for row, _ in entries]
            others = [row for row in order if row not in used][:_CANDIDATES]
            chosen = nearest[others]
            entries.append(self._farthest(entries, others, chosen))
        self._take(entries)

    def _distances(self, row: int, shift: int) -> NDArray[np.float64]:
        """Distance to the check of every row and shift, as a new column would close it.

        The copies of one column in its circulant can close a cycle together, too: where a path
        ends n-th parts of a turn beside, n of them do.
        """
        distances = self.graph.distances(row).astype(np.float64)
        there = distances[:, (shift - self.shifts) % self.circulant]
        nearest = there
        for copies in _COPIES:
            part = self.circulant // copies
            for turn in range(part, self.circulant, part):
                closed = copies * (np.roll(there, turn, axis=1) + 1) - 1
                nearest = np.minimum(nearest, closed)
        return nearest

    def _farthest(
        self, entries: Entries, rows: list[int], distances: NDArray[np.float64]
    ) -> tuple[int, int]:
        """Row and shift of the largest distance that close no cycle of length four."""
        # Chance decides among equals.
        order = np.argsort(-(distances + self.generator.random(distances.shape)), axis=None)
        for place, shift in zip(*np.unravel_index(order, distances.shape), strict=True):
            row = rows[int(place)]
            if self._allowed(entries, row)[shift]:
                return row, int(shift)
        raise ValueError(f"no place for a column of degree {len(entries) + 1} and more")

    def column(self, degree: int) -> None:
        """Place a column in the rows of the smallest degrees, at random shifts."""
        for _ in range(200):
            entries: Entries = []
            for row in self._by_degree():
                free = np.flatnonzero(self._allowed(entries, row))
                if free.size:
                    entries.append((row, int(self.generator.choice(free))))
                if len(entries) == degree:
                    self._take(entries)
                    return
        raise ValueError(f"no place for a column of degree {degree} without a cycle of length four")

    def _take(self, entries: Entries) -> None:
        if len(entries) <= 3:
            self.graph.join(entries)
        self.columns.append(sorted(entries))
        rows, shifts = np.array(entries, np.intp).T
        self.row_degrees[rows] += 1
        # Differences of a row with itself are never asked for.
        differences = (shifts[:, None] - shifts) % self.circulant
        self.taken[rows[:, None], rows, differences] = True


def place_circulants(
    degrees: Sequence[int], rows: int, circulant: int, generator: np.random.Generator
) -> list[Entries]:
    """Choose rows and shifts of every block column.

    Parameters
    ----------
    degrees : sequence of int
        Degrees of the block columns, rising.
    rows : int
        Block rows.
    circulant : int
        Size of a circulant.
    generator : numpy.random.Generator
        Source of all choices.

    Returns
    -------
    list of list of (int, int)
        Row and shift of each entry of each block column, in the order of `degrees`.

    Raises
    ------
    ValueError
        If a column finds no place.
    """
    placement = _Placement(rows, circulant, generator)
    # The narrowest first; then the widest, which find the fewest places.
    for degree in sorted(degrees, key=lambda degree: degree if degree <= 3 else 1 / degree + 3):
        if degree <= 3:
            placement.far_column(degree)
        else:
            placement.column(degree)
    return sorted(placement.columns, key=len)
