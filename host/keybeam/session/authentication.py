"""Wegman–Carter authentication with Poly1305 under one-time keys.

A tag is Poly1305 (D. J. Bernstein, "The Poly1305-AES message-authentication
code", FSE 2005; RFC 8439, section 2.5) under a key of 32 bytes that is used for
this one tag: 16 bytes choose the hash function, 16 bytes hide its value, which
is the authentication of Wegman and Carter (J. Comput. Syst. Sci. 22, 265, 1981).
Whoever does not know the key changes a message of at most L bytes without notice
with a probability of at most 8·⌈(L + 1) / 16⌉ / 2^106, for the 10 MB of a block
2^-83.
"""

import hmac
from collections.abc import Iterable

from cryptography.hazmat.primitives.poly1305 import Poly1305

__all__ = ["ONE_TIME_KEY_BYTES", "authenticate", "verify"]

ONE_TIME_KEY_BYTES = 32
"""Bytes of secret that one tag uses up."""


def authenticate(key: bytes, parts: Iterable[bytes]) -> bytes:
    """Tag of some byte strings in order.

    Parameters
    ----------
    key : bytes
        One-time key of 32 bytes.
    parts : iterable of bytes
        Each is preceded by its length (8 bytes, little-endian), so no two different lists
        are hashed alike.

    Returns
    -------
    bytes
        16 bytes.
    """
    state = Poly1305(key)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.finalize()


def verify(key: bytes, parts: Iterable[bytes], tag: bytes) -> bool:
    """Whether `tag` is the tag of the parts; takes equal time for every wrong tag."""
    return hmac.compare_digest(authenticate(key, parts), tag)
