"""Parity-check matrices made of circulants."""

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["QuasiCyclicMatrix"]


@dataclass(frozen=True, eq=False)
class QuasiCyclicMatrix:
    """A parity-check matrix whose blocks are zero or a circulant permutation.

    Block row r has the entries ``row_starts[r]`` to ``row_starts[r + 1] - 1``. Entry e
    says that check k of the block row contains variable
    ``columns[e] * circulant + (k + shifts[e]) % circulant``.

    Attributes
    ----------
    circulant : int
        Size of a block.
    block_columns : int
        Blocks in a row.
    row_starts : ndarray of int32, shape (block rows + 1,)
        Where the entries of each block row begin.
    columns, shifts : ndarray of int32, shape (entries,)
        Block column, at most once in a block row, and shift of each entry.
    """

    circulant: int
    block_columns: int
    row_starts: NDArray[np.int32]
    columns: NDArray[np.int32]
    shifts: NDArray[np.int32]

    @property
    def block_rows(self) -> int:
        """Blocks in a column."""
        return self.row_starts.size - 1

    @property
    def checks(self) -> int:
        """Rows of the whole matrix."""
        return self.block_rows * self.circulant

    @property
    def variables(self) -> int:
        """Columns of the whole matrix."""
        return self.block_columns * self.circulant

    def row_variables(self, row: int) -> NDArray[np.intp]:
        """Variables of the checks of a block row, shape (entries of the row, circulant)."""
        entries = slice(int(self.row_starts[row]), int(self.row_starts[row + 1]))
        places = (self.shifts[entries, None] + np.arange(self.circulant)) % self.circulant
        variables: NDArray[np.intp] = (
            self.columns[entries, None].astype(np.intp) * self.circulant + places
        )
        return variables

    def lifted(self, factor: int) -> "QuasiCyclicMatrix":
        """Matrix for a frame that is `factor` times as long.

        Every circulant becomes `factor` times as large and its shift keeps its remainder by the
        old size, so that no cycle becomes shorter. The quotients are pseudo-random, but fixed:
        bytes of SHAKE-128 over the entries.

        Parameters
        ----------
        factor : int
            1 to 256.
        """
        entries = np.stack([self.columns, self.shifts]).astype("<i4").tobytes()
        digest = hashlib.shake_128(entries).digest(4 * self.columns.size)
        turns = (np.frombuffer(digest, "<u4") % factor).astype(np.int32)
        shifts = self.shifts + np.int32(self.circulant) * turns
        return dataclasses.replace(self, circulant=self.circulant * factor, shifts=shifts)

    def syndrome(self, bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Parity of each check.

        Parameters
        ----------
        bits : ndarray of uint8, shape (variables,)
            Values 0 and 1.

        Returns
        -------
        ndarray of uint8, shape (checks,)
        """
        rows = [
            np.bitwise_xor.reduce(bits[self.row_variables(row)], axis=0)
            for row in range(self.block_rows)
        ]
        return np.concatenate(rows)
