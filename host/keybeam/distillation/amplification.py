"""Privacy amplification by a random Toeplitz matrix over GF(2)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError

__all__ = ["toeplitz"]

_LARGEST_ERROR = 0.1
"""A product further than this from a whole number is refused; it would be wrong from 0.5 on."""


def toeplitz(bits: NDArray[Any], seed: NDArray[Any], length: int) -> NDArray[np.uint8]:
    """Multiply a bit string by the Toeplitz matrix of a seed, modulo 2.

    Bit i of the result is the sum over j of ``seed[n - 1 + i - j] · bits[j]``. The
    family of these matrices is universal₂ (H. Krawczyk, "LFSR-based hashing and
    authentication", CRYPTO '94, shows it for Toeplitz matrices).

    The sums are counted by a Fourier transform in double precision; every one must
    come out within 0.1 of a whole number.

    Parameters
    ----------
    bits : ndarray of uint8, shape (n,)
        The string to shorten.
    seed : ndarray of uint8, shape (n + length - 1,)
        Uniformly random bits that define the matrix.
    length : int
        Bits of the result, 0 to n; for 0 the seed is not looked at.

    Returns
    -------
    ndarray of uint8, shape (length,)
        The shortened string.

    Raises
    ------
    DistillationError
        If a length or a value is wrong, or the transform is not exact.
    """
    bits = require_bits(bits, "the string to amplify")
    n = bits.size
    if not 0 <= length <= n:
        raise DistillationError(f"a string of {n} bits cannot be amplified to {length} bits")
    if length == 0:
        return np.zeros(0, np.uint8)
    seed = require_bits(seed, "the seed of the Toeplitz matrix", n + length - 1)
    # Sums that wrap around a transform of this size end below index n - 1, which is not used.
    size = next_fast_len(n + length - 1, real=True)
    product = irfft(rfft(bits.astype(np.float64), size) * rfft(seed.astype(np.float64), size), size)
    sums = product[n - 1 : n - 1 + length]
    rounded = np.rint(sums)
    error = float(np.max(np.abs(sums - rounded)))
    if not error < _LARGEST_ERROR:
        raise DistillationError(
            f"the Toeplitz product of {n} bits is inexact: a sum is {error:.3f} from a whole number"
        )
    return (rounded.astype(np.int64) & 1).astype(np.uint8)
