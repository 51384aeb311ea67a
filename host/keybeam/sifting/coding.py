"""Compact forms of the arrays in sifting messages: pulse indices, bits, intensities."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CodingError",
    "decode_indices",
    "encode_indices",
    "pack_bits",
    "pack_intensities",
    "unpack_bits",
    "unpack_intensities",
]

_GROUP_BITS = 7
_LONGEST = 10
"""Bytes that a number of 64 bits takes in groups of seven bits."""


class CodingError(ValueError):
    """Bytes that are no valid form of an array."""


def encode_indices(indices: NDArray[np.uint64]) -> bytes:
    """Pulse indices as their first value and the steps between them, in LEB128.

    LEB128 (DWARF 5, section 7.6) writes a number as groups of seven bits, lowest first, with the
    high bit of a byte set when another follows. At 13 000 clicks a second a step takes
    2.7 bytes on average, against 2.2 of the entropy and 8 of the plain index.

    Parameters
    ----------
    indices : ndarray of uint64
        Strictly increasing.

    Raises
    ------
    CodingError
        If they do not increase strictly.
    """
    if indices.size == 0:
        return b""
    if np.any(indices[1:] <= indices[:-1]):
        raise CodingError("pulse indices do not increase")
    steps = np.diff(indices, prepend=np.uint64(0))
    shifts = np.arange(_LONGEST, dtype=np.uint64) * np.uint64(_GROUP_BITS)
    rest = steps[:, None] >> shifts
    groups = (rest & np.uint64(0x7F)).astype(np.uint8)
    written = rest > 0
    written[:, 0] = True
    groups[:, :-1] |= written[:, 1:].astype(np.uint8) << np.uint8(_GROUP_BITS)
    encoded: bytes = groups[written].tobytes()
    return encoded


def decode_indices(data: bytes) -> NDArray[np.uint64]:
    """Pulse indices from what `encode_indices` wrote.

    Raises
    ------
    CodingError
        If the bytes end within a number, a number has more than 64 bits, or the indices do not
        increase.
    """
    groups = np.frombuffer(data, np.uint8)
    if groups.size == 0:
        return np.empty(0, np.uint64)
    last = np.flatnonzero(groups < 0x80)
    if last.size == 0 or last[-1] != groups.size - 1:
        raise CodingError("the last number is cut short")
    first = np.concatenate(([0], last[:-1] + 1))
    lengths = last - first + 1
    place = np.arange(groups.size) - np.repeat(first, lengths)
    if lengths.max() > _LONGEST or np.any(groups[place == _LONGEST - 1] > 1):
        raise CodingError("a number has more than 64 bits")
    values = (groups & np.uint8(0x7F)).astype(np.uint64) << (place * _GROUP_BITS).astype(np.uint64)
    indices = np.cumsum(np.add.reduceat(values, first), dtype=np.uint64)
    if np.any(indices[1:] <= indices[:-1]):
        raise CodingError("pulse indices do not increase")
    return indices


def pack_bits(bits: NDArray[np.bool_] | NDArray[np.uint8]) -> bytes:
    """Zeros and ones as bytes, the first in the highest bit; the last byte is filled with zeros."""
    return np.packbits(bits).tobytes()


def unpack_bits(data: bytes, count: int) -> NDArray[np.uint8]:
    """Return the `count` zeros and ones that `pack_bits` wrote.

    Raises
    ------
    CodingError
        If the number of bytes is not that of `count` bits.
    """
    if len(data) != (count + 7) // 8:
        raise CodingError(f"{len(data)} bytes do not hold {count} bits")
    return np.unpackbits(np.frombuffer(data, np.uint8), count=count)


def pack_intensities(intensities: NDArray[np.uint8]) -> bytes:
    """Values 0 to 3 as two bits each, high bit first."""
    pairs = np.stack((intensities >> np.uint8(1), intensities & np.uint8(1)), axis=1)
    return pack_bits(pairs.reshape(-1))


def unpack_intensities(data: bytes, count: int) -> NDArray[np.uint8]:
    """Return the `count` values 0 to 3 that `pack_intensities` wrote.

    Raises
    ------
    CodingError
        If the number of bytes is not that of `count` values.
    """
    pairs = unpack_bits(data, 2 * count).reshape(-1, 2)
    return cast(NDArray[np.uint8], pairs[:, 0] << np.uint8(1) | pairs[:, 1])
