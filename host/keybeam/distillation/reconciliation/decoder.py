"""Decoding of a frame."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import _native
from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation.code import Code

__all__ = ["ITERATION_LIMIT", "DecodeResult", "decode"]

ITERATION_LIMIT = 100
"""Passes after which decoding is given up."""

_SMALLEST_PRIOR = 2e-4
_LARGEST_PRIOR = 0.25


@dataclass(frozen=True, eq=False)
class DecodeResult:
    """What became of a frame.

    Attributes
    ----------
    bits : ndarray of uint8, shape (frame_bits,)
        The other end's frame as far as the syndrome tells, or the own frame unchanged
        when decoding did not converge. Only verification shows that the ends agree.
    converged : bool
        Whether the bits have the syndrome.
    iterations : int
        Passes of the decoder.
    errors : int
        Bits that were corrected; 0 when decoding did not converge.
    """

    bits: NDArray[np.uint8]
    converged: bool
    iterations: int
    errors: int


def decode(code: Code, bits: NDArray[Any], syndrome: NDArray[Any], qber: float) -> DecodeResult:
    """Find the other end's frame from its syndrome.

    Parameters
    ----------
    code : Code
        The code of the syndrome.
    bits : ndarray of uint8, shape (code.frame_bits,)
        The own frame.
    syndrome : ndarray of uint8, shape (code.syndrome_bits,)
        Syndrome of the other end's frame.
    qber : float
        Estimated error rate, 0 to 0.5; an estimate some ten per cent off does no harm.

    Returns
    -------
    DecodeResult

    Raises
    ------
    DistillationError
        If a bit string has the wrong length or values, or the rate is out of range.
    """
    own = require_bits(bits, "the frame", code.frame_bits)
    other = require_bits(syndrome, "the syndrome", code.syndrome_bits)
    if not 0 <= qber <= 0.5:
        raise DistillationError(f"an error rate lies between 0 and 0.5, not {qber}")
    prior = min(max(qber, _SMALLEST_PRIOR), _LARGEST_PRIOR)
    matrix = code.matrix
    errors, converged, iterations = _native.decode_layered(
        matrix.row_starts,
        matrix.columns,
        matrix.shifts,
        matrix.circulant,
        matrix.block_columns,
        other ^ matrix.syndrome(own),
        prior / (1 - prior),
        ITERATION_LIMIT,
    )
    if not converged:
        return DecodeResult(own.copy(), False, iterations, 0)
    return DecodeResult(own ^ errors, True, iterations, int(errors.sum(dtype=np.int64)))
