"""The decoder in NumPy: the definition that the kernel in C++ follows bit for bit.

Sum-product decoding in layers (D. E. Hocevar, "A reduced complexity decoder
architecture via layered decoding of LDPC codes", SiPS 2004). Messages are odds of
"in error" against "not in error" in single precision; the check turns odds o into
the difference of probabilities (1 - o)/(1 + o), multiplies, and turns back, so
that only the four basic operations occur, whose results IEEE 754 fixes.
"""

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix

__all__ = ["decode_layered"]

_LARGEST_DIFFERENCE = np.float32(1 - 2.0**-20)
_LARGEST_ODDS = np.float32(2.0**80)
_SMALLEST_ODDS = np.float32(2.0**-80)
_ONE = np.float32(1)


def _update_row(
    odds: NDArray[np.float32],
    messages: NDArray[np.float32],
    variables: NDArray[np.intp],
    signs: NDArray[np.float32],
) -> None:
    """Pass all messages of one block row, in place; messages has the shape of variables."""
    extrinsic = odds[variables] / messages
    difference = (_ONE - extrinsic) / (_ONE + extrinsic)
    before = np.empty_like(difference)
    product = signs
    for entry in range(len(variables)):
        before[entry] = product
        product = product * difference[entry]
    product = np.ones_like(signs)
    for entry in reversed(range(len(variables))):
        others = np.clip(before[entry] * product, -_LARGEST_DIFFERENCE, _LARGEST_DIFFERENCE)
        messages[entry] = (_ONE - others) / (_ONE + others)
        product = product * difference[entry]
    odds[variables] = np.clip(extrinsic * messages, _SMALLEST_ODDS, _LARGEST_ODDS)


def decode_layered(
    matrix: QuasiCyclicMatrix,
    syndrome: NDArray[np.uint8],
    prior_odds: float,
    iteration_limit: int,
) -> tuple[NDArray[np.uint8], bool, int]:
    """Find the error pattern that has a syndrome.

    Parameters
    ----------
    matrix : QuasiCyclicMatrix
        The parity-check matrix.
    syndrome : ndarray of uint8, shape (checks,)
        Parity of each check over the error pattern.
    prior_odds : float
        Odds of a variable to be in error, rounded to single precision.
    iteration_limit : int
        Most passes over all rows.

    Returns
    -------
    errors : ndarray of uint8, shape (variables,)
        The error pattern.
    converged : bool
        Whether it has the syndrome.
    iterations : int
        Passes made.
    """
    rows = [matrix.row_variables(row) for row in range(matrix.block_rows)]
    messages = [np.ones(variables.shape, np.float32) for variables in rows]
    signs = np.float32(1) - np.float32(2) * syndrome.astype(np.float32)
    signs = signs.reshape(matrix.block_rows, matrix.circulant)
    odds = np.full(matrix.variables, np.float32(prior_odds))
    for iteration in range(iteration_limit + 1):
        errors = (odds > _ONE).astype(np.uint8)
        if np.array_equal(matrix.syndrome(errors), syndrome):
            return errors, True, iteration
        if iteration < iteration_limit:
            for row, variables in enumerate(rows):
                _update_row(odds, messages[row], variables, signs[row])
    return errors, False, iteration_limit
