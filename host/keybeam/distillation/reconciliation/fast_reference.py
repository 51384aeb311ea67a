"""The fast decoder in NumPy: the definition that the kernels in C++ follow bit for bit.

Sum-product decoding in layers with messages of eight bits. Values and messages are log-likelihood
ratios in steps; a check adds up the doubts φ(x) = -ln tanh(x/2) of what its other variables say
(R. G. Gallager, "Low-density parity-check codes", IRE Trans. Inf. Theory 8 (1962) 21), by tables
and in whole units. The sums are taken from both sides rather than as a difference from the whole,
so that one that saturates stands for no information, never for certainty. Messages are bounded
so far below the values that hardly a value of a bit, its own and all messages, is ever cut off.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix

__all__ = ["FastTables", "decode_fast", "fast_tables"]

_STEP = 0.42
"""About the log-likelihood ratio of one step of a message."""

_LARGEST_MESSAGE = 16
"""Steps; ten messages of it and a channel's value are about what eight bits hold."""

_LARGEST_UNIT = 0.0146
"""Largest unit of doubt: 127 of them are the doubt of a message of three quarters of a step."""

_CORRECTION = 0.95
"""Factor on the messages, which makes up for what rounding adds to them; found by trial."""

_SMALL = 0.3
"""Units that a doubt which is rounded to none is taken for."""

_CERTAIN = 127


class FastTables(NamedTuple):
    """What the arithmetic of a code rests on.

    Attributes
    ----------
    doubt : ndarray of int8, shape (64,)
        Units of doubt of a message of each size; of a larger one, the last.
    message : ndarray of int8, shape (128,)
        Size of the message that a sum of doubts makes; 127 stands for all from there on.
    channel : int
        Steps of the ratio that a bit has before anything is known of it.
    """

    doubt: NDArray[np.int8]
    message: NDArray[np.int8]
    channel: int


def _doubt(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """φ, which is its own inverse."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(np.tanh(ratio / 2)))


def fast_tables(qber: float) -> FastTables:
    """Make the tables for an error rate.

    Parameters
    ----------
    qber : float
        Error rate, between 0 and 0.5, at which the code just works.
    """
    ratio = np.log((1 - qber) / qber)
    channel = max(1, round(ratio / _STEP))
    step = ratio / channel
    # The doubt of the channel's value, which most messages have at first, is a whole number.
    own = float(_doubt(np.array(ratio)))
    unit = own / np.ceil(own / _LARGEST_UNIT)
    doubt = np.minimum(np.rint(_doubt(np.arange(64) * step) / unit), 127)
    sums = np.arange(128.0)
    sums[0] = _SMALL
    message = np.minimum(np.rint(_CORRECTION * _doubt(sums * unit) / step), _LARGEST_MESSAGE)
    message[127] = 0
    return FastTables(doubt.astype(np.int8), message.astype(np.int8), channel)


def _saturated(values: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.clip(values, -128, 127)


def _update_row(
    values: NDArray[np.int16],
    messages: NDArray[np.int16],
    variables: NDArray[np.intp],
    odd: NDArray[np.bool_],
    tables: FastTables,
) -> None:
    """Pass all messages of one block row, in place; messages has the shape of variables."""
    extrinsic = _saturated(values[variables] - messages)
    doubts = tables.doubt.astype(np.int16)[np.minimum(np.abs(extrinsic), 63)]
    others = np.zeros_like(doubts)
    # A sum that saturates once stays so, whatever the order of its terms.
    others[1:] = np.minimum(np.cumsum(doubts[:-1], axis=0), 127)
    after = np.cumsum(doubts[:0:-1], axis=0)[::-1]
    others[:-1] = np.minimum(others[:-1] + np.minimum(after, 127), 127)
    sizes = tables.message.astype(np.int16)[others]
    negative = np.logical_xor.reduce(extrinsic < 0, axis=0) ^ odd ^ (extrinsic < 0)
    messages[...] = np.where(negative, -sizes, sizes)
    values[variables] = _saturated(extrinsic + messages)


def decode_fast(
    matrix: QuasiCyclicMatrix,
    tables: FastTables,
    own: NDArray[np.uint8],
    syndrome: NDArray[np.uint8],
    iteration_limit: int,
) -> tuple[NDArray[np.uint8], bool, int, int]:
    """Find the frame that has a syndrome and is close to the own one.

    Parameters
    ----------
    matrix : QuasiCyclicMatrix
        The parity-check matrix; variables beyond the frame are zero.
    tables : FastTables
        See `fast_tables`.
    own : ndarray of uint8, shape (frame bits,)
        The own frame.
    syndrome : ndarray of uint8, shape (checks,)
        Syndrome of the other frame.
    iteration_limit : int
        Most passes over all rows.

    Returns
    -------
    frame : ndarray of uint8, shape (frame bits,)
        The frame found, or the own one.
    converged : bool
        Whether the frame has the syndrome.
    iterations : int
        Passes made.
    errors : int
        Bits in which the frame differs from the own one.
    """
    padded = np.zeros(matrix.variables, np.uint8)
    padded[: own.size] = own
    pattern = syndrome ^ matrix.syndrome(padded)
    odd = pattern.reshape(matrix.block_rows, matrix.circulant).astype(np.bool_)
    rows = [matrix.row_variables(row) for row in range(matrix.block_rows)]
    messages = [np.zeros(variables.shape, np.int16) for variables in rows]
    values = np.full(matrix.variables, _CERTAIN, np.int16)
    values[: own.size] = tables.channel
    for iteration in range(iteration_limit + 1):
        errors = (values < 0).astype(np.uint8)
        if np.array_equal(matrix.syndrome(errors), pattern):
            wrong = errors[: own.size]
            return own ^ wrong, True, iteration, int(wrong.sum())
        if iteration < iteration_limit:
            for row, variables in enumerate(rows):
                _update_row(values, messages[row], variables, odd[row], tables)
    return own.copy(), False, iteration_limit, 0
