"""Privacy amplification by a random Toeplitz matrix over GF(2).

The kernel multiplies polynomials over GF(2) (``native/binary_product.cpp``); the same product by a
Fourier transform is its definition in NumPy.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from keybeam.distillation import _native
from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError

__all__ = ["toeplitz", "toeplitz_by_transform"]

_LARGEST_ERROR = 0.1
"""A product further than this from a whole number is refused; it would be wrong from 0.5 on."""


_WORD_BITS = 64


def _checked(
    bits: NDArray[Any], seed: NDArray[Any], length: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    bits = require_bits(bits, "the string to amplify")
    if not 1 <= length <= bits.size or length != int(length):
        raise DistillationError(
            f"a string of {bits.size} bits cannot be amplified to {length} bits"
        )
    return bits, require_bits(seed, "the seed of the Toeplitz matrix", bits.size + length - 1)


def _words(bits: NDArray[np.uint8], shift: int) -> NDArray[np.uint64]:
    """Bits after some zeros, the first in the lowest place of the first word."""
    size = -(-(shift + bits.size) // _WORD_BITS) * _WORD_BITS
    padded = np.zeros(size, np.uint8)
    padded[shift : shift + bits.size] = bits
    return np.packbits(padded, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def toeplitz(
    bits: NDArray[Any], seed: NDArray[Any], length: int, *, portable: bool = False
) -> NDArray[np.uint8]:
    """Multiply a bit string by the Toeplitz matrix of a seed, modulo 2.

    Bit i of the result is the sum over j of ``seed[n - 1 + i - j] · bits[j]``, so the result
    is a part of the product of two polynomials over GF(2). The family of these matrices is
    universal₂ (H. Krawczyk, "LFSR-based hashing and authentication", CRYPTO '94, shows it for
    Toeplitz matrices).

    Parameters
    ----------
    bits : ndarray of uint8, shape (n,)
        The string to shorten.
    seed : ndarray of uint8, shape (n + length - 1,)
        Uniformly random bits that define the matrix.
    length : int
        Bits of the result, 1 to n.
    portable : bool
        Do without the processor's multiplication without carries.

    Returns
    -------
    ndarray of uint8, shape (length,)
        The shortened string.

    Raises
    ------
    DistillationError
        If a length or a value is wrong.
    """
    bits, seed = _checked(bits, seed, length)
    # Zeros before the string let the result begin at the lowest place of a word.
    shift = (1 - bits.size) % _WORD_BITS
    result = _native.middle_product(
        _words(bits, shift),
        _words(seed, 0),
        (bits.size - 1 + shift) // _WORD_BITS,
        -(-length // _WORD_BITS),
        portable,
    )
    octets = result.astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, count=length, bitorder="little")


def toeplitz_by_transform(bits: NDArray[Any], seed: NDArray[Any], length: int) -> NDArray[np.uint8]:
    """Compute what `toeplitz` does by a Fourier transform: the definition in NumPy.

    The sums are counted in double precision; every one must come out within 0.1 of a whole
    number.

    Raises
    ------
    DistillationError
        If a length or a value is wrong, or the transform is not exact.
    """
    bits, seed = _checked(bits, seed, length)
    n = bits.size
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
