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
    # At a bound the odds no longer say what all messages do, so that taking one out again would
    # shift them for good: there the bit is settled.
    settled = (before_row >= _LARGEST_ODDS) | (before_row <= _SMALLEST_ODDS)
    odds[variables] = np.where(settled, before_row, np.clip(after, _SMALLEST_ODDS, _LARGEST_ODDS))


def decode_layered(
    matrix: QuasiCyclicMatrix,
    syndrome: NDArray[np.uint8],
    odds: NDArray[np.float32],
    messages: NDArray[np.float32],
    iteration_limit: int,
    patience: int,
) -> tuple[NDArray[np.uint8], bool, int]:
    """Search the error pattern that has a syndrome.

    Parameters
    ----------
    matrix : QuasiCyclicMatrix
        The parity-check matrix.
    syndrome : ndarray of uint8, shape (checks,)
        Parity of each check over the error pattern.
    odds : ndarray of float32, shape (variables,)
        Odds of each variable to be in error, 2^-80 to 2^80. They are changed in place, and the
        next search can go on from them.
    messages : ndarray of float32, shape (entries * circulant,)
        What each check last said of its variables, in the order of the entries; 0 at first.
        Changed in place.
    iteration_limit : int
        Most passes over all rows.
    patience : int
        Passes in which the unmet checks have to become fewer by a hundredth.

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
    by_entry = messages.reshape(-1, matrix.circulant)
    row_messages = np.split(by_entry, matrix.row_starts[1:-1])
    signs = np.float32(1) - np.float32(2) * syndrome.astype(np.float32)
    signs = signs.reshape(matrix.block_rows, matrix.circulant)
    fewest, iteration, idle = None, 0, 0
    while True:
        errors = (odds > _ONE).astype(np.uint8)
        unmet = int(np.count_nonzero(matrix.syndrome(errors) != syndrome))
        if fewest is None or 100 * unmet < 99 * fewest:
            fewest, idle = unmet, 0
        else:
            idle += 1
        if unmet == 0 or iteration >= iteration_limit or idle >= patience:
            return errors, unmet == 0, iteration
        for row, variables in enumerate(rows):
            _update_row(odds, row_messages[row], variables, signs[row])
        iteration += 1
