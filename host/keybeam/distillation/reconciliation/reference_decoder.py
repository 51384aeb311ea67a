"""The decoder in NumPy: the definition that the kernel in C++ follows bit for bit.

Sum-product decoding in layers (D. E. Hocevar, "A reduced complexity decoder
architecture via layered decoding of LDPC codes", SiPS 2004). A bit's state is the
odds o of "in error" against "not in error"; a check's message is the difference t of
the two probabilities, so that t stands for the odds (1 - t)/(1 + t). All is in single
precision, and only the four basic operations occur, whose results IEEE 754 fixes.
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
    before_row = odds[variables]
    right, wrong = _ONE - messages, before_row * (_ONE + messages)
    difference = (right - wrong) / (right + wrong)
    before = np.empty_like(difference)
    product = signs
    for entry in range(len(variables)):
        before[entry] = product
        product = product * difference[entry]
    product = np.ones_like(signs)
    for entry in reversed(range(len(variables))):
        others = np.clip(before[entry] * product, -_LARGEST_DIFFERENCE, _LARGEST_DIFFERENCE)
        messages[entry] = others
        product = product * difference[entry]
    after = (wrong * (_ONE - messages)) / (right * (_ONE + messages))
    odds[variables] = np.clip(after, _SMALLEST_ODDS, _LARGEST_ODDS)


def decode_layered(
    matrix: QuasiCyclicMatrix,
    syndrome: NDArray[np.uint8],
    prior_odds: NDArray[np.float32],
    iteration_limit: int,
) -> tuple[NDArray[np.uint8], bool, int, NDArray[np.float32]]:
    """Find the error pattern that has a syndrome.

    Parameters
    ----------
    matrix : QuasiCyclicMatrix
        The parity-check matrix.
    syndrome : ndarray of uint8, shape (checks,)
        Parity of each check over the error pattern.
    prior_odds : ndarray of float32, shape (variables,)
        Odds of each variable to be in error, 2^-80 to 2^80.
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
    odds : ndarray of float32, shape (variables,)
        Odds of each variable after the last pass.
    """
    rows = [matrix.row_variables(row) for row in range(matrix.block_rows)]
    messages = [np.zeros(variables.shape, np.float32) for variables in rows]
    signs = np.float32(1) - np.float32(2) * syndrome.astype(np.float32)
    signs = signs.reshape(matrix.block_rows, matrix.circulant)
    odds = prior_odds.copy()
    for iteration in range(iteration_limit + 1):
        errors = (odds > _ONE).astype(np.uint8)
        if np.array_equal(matrix.syndrome(errors), syndrome):
            return errors, True, iteration, odds
        if iteration < iteration_limit:
            for row, variables in enumerate(rows):
                _update_row(odds, messages[row], variables, signs[row])
    return errors, False, iteration_limit, odds
