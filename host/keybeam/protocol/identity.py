"""The identity block, with which every board's register map begins.

Its registers have the same addresses (in words of 32 bits) on every board of
whatever map, so that a host can tell which board it has before it knows the
map.
"""

from enum import IntEnum

__all__ = ["ABI_VERSION", "IDENTITY_MAGIC", "IdentityAddress", "Role"]

IDENTITY_MAGIC = int.from_bytes(b"KBM1", "little")
"""Content of the magic register: a Keybeam board answers."""

ABI_VERSION = 2
"""Version of what all boards share: link frames, identity block, meaning of the tag records."""


class Role(IntEnum):
    """Which terminal a board is."""

    TRANSMITTER = 1
    RECEIVER = 2


class IdentityAddress(IntEnum):
    """Addresses of the identity block's registers."""

    MAGIC = 0
    ABI = 1
    ROLE = 2
    MAP_HASH = 3
    """The first 32 bits of the SHA-256 of the register map."""
    REVISION = 4
    """The first 32 bits of the git revision of the gateware; 0 if unknown."""
    SCRATCH = 5
    """Holds whatever is written to it."""
