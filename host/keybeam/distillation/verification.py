"""Verification that two ends hold the same bits, by a keyed universal hash.

The hash is Poly1305 (D. J. Bernstein, "The Poly1305-AES message-authentication
code", FSE 2005) with s = 0, which leaves the polynomial evaluated at r.
"""

from typing import Any

import numpy as np
from cryptography.hazmat.primitives.poly1305 import Poly1305
from numpy.typing import NDArray

from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError

__all__ = ["KEY_BYTES", "TAG_BITS", "TAG_BYTES", "collision_probability", "tag"]

KEY_BYTES = 16
"""Bytes of the hash key r."""

TAG_BYTES = 16
"""Bytes of a tag."""

TAG_BITS = 8 * TAG_BYTES
"""Bits that sending a tag discloses."""

_LENGTH_BYTES = 8


def tag(bits: NDArray[Any], key16: bytes) -> bytes:
    """Hash a bit string.

    The message is the number of bits as 8 bytes, little endian, then the bits packed
    with the first in the lowest place of a byte; so strings that differ only in length
    are different messages.

    Parameters
    ----------
    bits : ndarray of uint8, shape (n,)
        The bit string.
    key16 : bytes
        Key r: 16 random bytes, used for one pair of strings only, and not known to
        anybody who could still change them.

    Returns
    -------
    bytes
        The 16-byte tag; it discloses at most 128 bits of the string.

    Raises
    ------
    DistillationError
        If the bits are not a bit string or the key does not have 16 bytes.
    """
    if len(key16) != KEY_BYTES:
        raise DistillationError(f"a verification key has {KEY_BYTES} bytes, not {len(key16)}")
    packed = np.packbits(require_bits(bits, "the string to verify"), bitorder="little")
    message = bits.size.to_bytes(_LENGTH_BYTES, "little") + packed.tobytes()
    return Poly1305.generate_tag(bytes(key16) + bytes(TAG_BYTES), message)


def collision_probability(n_bits: int) -> float:
    """Bound the probability that two different strings get the same tag.

    For messages of at most L bytes and a uniformly random r it is 8⌈L/16⌉ / 2^106
    (Bernstein, FSE 2005, Theorem 3.3), where L includes the 8 bytes of the length.

    Parameters
    ----------
    n_bits : int
        Length of the longer string in bits.

    Returns
    -------
    float
        The bound, over the choice of the key.

    Raises
    ------
    DistillationError
        If the length is negative.
    """
    if n_bits < 0:
        raise DistillationError(f"a string cannot have {n_bits} bits")
    message_bytes = _LENGTH_BYTES + (n_bits + 7) // 8
    return 8 * ((message_bytes + 15) // 16) * 2.0**-106
