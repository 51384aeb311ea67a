"""Placement of the circulants of a code without cycles of length four."""

from collections.abc import Sequence

import numpy as np

__all__ = ["place_circulants"]


class _Placement:
    """A growing base matrix that knows which shift differences are taken."""

    def __init__(self, rows: int, circulant: int, generator: np.random.Generator) -> None:
        self.circulant = circulant
        self.generator = generator
        self.row_degrees = np.zeros(rows, np.int64)
        # taken[a, b, d]: some column has shifts in rows a and b with shift_a - shift_b = d;
        # a second one would close a cycle of length four.
        self.taken = np.zeros((rows, rows, circulant), np.bool_)

    def _shift(self, entries: list[tuple[int, int]], row: int) -> int | None:
        allowed = np.ones(self.circulant, np.bool_)
        shifts = np.arange(self.circulant)
        for other, shift in entries:
            allowed &= ~self.taken[other, row, (shift - shifts) % self.circulant]
        free = np.flatnonzero(allowed)
        return int(self.generator.choice(free)) if free.size else None

    def _attempt(self, rows: list[int], degree: int) -> list[tuple[int, int]] | None:
        entries: list[tuple[int, int]] = []
        for row in rows:
            shift = self._shift(entries, row)
            if shift is not None:
                entries.append((row, shift))
            if len(entries) == degree:
                return entries
        return None

    def column(self, degree: int, rows: list[int] | None = None) -> list[tuple[int, int]]:
        """Place a column in the given rows, or in those of the smallest degrees so far."""
        for _ in range(200):
            chance = self.generator.random(self.row_degrees.size)
            order = rows or [int(row) for row in np.lexsort((chance, self.row_degrees))]
            entries = self._attempt(order, degree)
            if entries is not None:
                self._take(entries)
                return entries
        raise ValueError(f"no place for a column of degree {degree} without a cycle of length four")

    def _take(self, entries: list[tuple[int, int]]) -> None:
        for row, shift in entries:
            self.row_degrees[row] += 1
            for other, other_shift in entries:
                if other != row:
                    self.taken[other, row, (other_shift - shift) % self.circulant] = True


def place_circulants(
    degrees: Sequence[int], rows: int, circulant: int, generator: np.random.Generator
) -> list[list[tuple[int, int]]]:
    """Choose rows and shifts of every block column.

    Columns of degree two form one path through the rows, so that they close no cycle
    among themselves; the others go, the widest first, to the rows with the fewest
    entries, as in progressive edge growth.

    Parameters
    ----------
    degrees : sequence of int
        Degrees of the block columns; at most ``rows - 1`` of them are two.
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
    """
    placement = _Placement(rows, circulant, generator)
    path = [int(row) for row in generator.permutation(rows)]
    entries: dict[int, list[tuple[int, int]]] = {}
    for column, degree in enumerate(degrees):
        if degree == 2:
            entries[column] = placement.column(2, path[len(entries) : len(entries) + 2])
    for column in sorted(set(range(len(degrees))) - set(entries), key=lambda c: -degrees[c]):
        entries[column] = placement.column(degrees[column])
    return [sorted(entries[column]) for column in range(len(degrees))]
