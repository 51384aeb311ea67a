"""The check sum that HDF5 writes beside data."""

import numpy as np
from numpy.typing import NDArray

from keybeam.timing import _tags

__all__ = ["fletcher32", "fletcher32_numpy"]

_MODULUS = 65_535


def fletcher32(data: NDArray[np.uint8]) -> int:
    """Compute the Fletcher-32 check sum of HDF5.

    Of 16-bit words, high byte first: the low half is their sum, the high half the sum of all its
    intermediate values, both modulo 65 535 and 0 for zeros only (J. G. Fletcher, IEEE Trans.
    Commun. 30, 247, 1982; HDF5's ``H5_checksum_fletcher32``).

    Parameters
    ----------
    data : ndarray of uint8, shape (n,)
        The data; an even number of bytes.

    Raises
    ------
    ValueError
        If the number of bytes is odd.
    """
    return _tags.fletcher32(np.ascontiguousarray(data))


def fletcher32_numpy(data: NDArray[np.uint8]) -> int:
    """Do the same as `fletcher32` in NumPy."""
    words = data.view(">u2").tolist()
    low = sum(words)
    high = sum(word * (len(words) - place) for place, word in enumerate(words))
    halves = [(value - 1) % _MODULUS + 1 if value else 0 for value in (low, high)]
    return halves[1] << 16 | halves[0]
