"""Privacy amplification by a random Toeplitz matrix over GF(2).

The kernels multiply polynomials over GF(2), exactly: by Karatsuba's method
(``native/binary_product.cpp``) or by a transform over GF(2^16) (``native/binary_transform.cpp``).
The same product by a Fourier transform in double precision is their definition in NumPy.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from keybeam.distillation import _native
from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError

__all__ = ["prepare_toeplitz", "product_kernels", "toeplitz", "toeplitz_by_transform"]

_LARGEST_ERROR = 0.1
"""A product further than this from a whole number is refused; it would be wrong from 0.5 on."""

_TRANSFORM_LENGTH = 1 << 15
"""Bits of a result from which on the transform is faster than Karatsuba's method."""


def product_kernels() -> list[_native.ProductKernel]:
    """List the kernels for which this processor has the instructions, the fastest last."""
    return [kernel for kernel in _native.ProductKernel if _native.is_available(kernel)]


_KERNELS = product_kernels()


def _kernel_for(length: int) -> _native.ProductKernel:
    fastest = _KERNELS[-1]
    if fastest is _native.ProductKernel.TRANSFORM and length < _TRANSFORM_LENGTH:
        return _KERNELS[-2]
    return fastest


def _checked(
    bits: NDArray[Any], seed: NDArray[Any], length: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    bits = require_bits(bits, "the string to amplify")
    if not 1 <= length <= bits.size or length != int(length):
        raise DistillationError(
            f"a string of {bits.size} bits cannot be amplified to {length} bits"
        )
    return bits, require_bits(seed, "the seed of the Toeplitz matrix", bits.size + length - 1)


def prepare_toeplitz() -> None:
    """Make now the tables that the first long key would have to wait for, for some 20 ms."""
    length = _TRANSFORM_LENGTH
    toeplitz(np.zeros(length, np.uint8), np.zeros(2 * length - 1, np.uint8), length)


def toeplitz(
    bits: NDArray[Any],
    seed: NDArray[Any],
    length: int,
    *,
    kernel: _native.ProductKernel | None = None,
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
    kernel : ProductKernel, optional
        How to multiply, one of `product_kernels`; all give the same bits. Without it, the
        fastest for the length.

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
    return _native.toeplitz(bits, seed, length, kernel or _kernel_for(length))


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
