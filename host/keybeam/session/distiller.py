"""The steps of distillation as a session uses them."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import BlockCounts, KeyLength

__all__ = ["Disclosure", "Distiller"]


class Disclosure(NamedTuple):
    """What helps the receiver to correct and verify a packet.

    Attributes
    ----------
    code : int
        Identifier of the code.
    syndrome : bytes
        Syndrome bits, the first in the highest bit.
    tag : bytes
        Verification tag.
    """

    code: int
    syndrome: bytes
    tag: bytes

    @property
    def leak_bits(self) -> int:
        """Bits that it discloses about the packet, counted in whole bytes."""
        return 8 * (len(self.syndrome) + len(self.tag))


class Distiller(Protocol):
    """The steps of distillation, equal at both ends."""

    @property
    def fingerprint(self) -> bytes:
        """Bytes that are equal where the codes are."""
        ...

    def disclose(
        self, bits: NDArray[np.uint8], sampled: int, errors: int, key: bytes
    ) -> Disclosure:
        """Help the receiver with a packet.

        Parameters
        ----------
        bits : ndarray of uint8
            The sender's bits.
        sampled, errors : int
            Sampled clicks of the packet and the errors among them, which choose the code.
        key : bytes
            Random key of the verification.
        """
        ...

    def correct(
        self, bits: NDArray[np.uint8], disclosure: Disclosure, qber: float, key: bytes
    ) -> NDArray[np.uint8] | None:
        """Return the sender's bits, or None where they are not found or fail verification.

        Parameters
        ----------
        bits : ndarray of uint8
            The receiver's bits.
        disclosure : Disclosure
            What the sender told.
        qber : float
            Error rate of the sampled clicks.
        key : bytes
            Random key of the verification.
        """
        ...

    def key_length(self, counts: BlockCounts, qber: float, leak_bits: int) -> KeyLength:
        """Return the length of a block's key."""
        ...

    def amplify(self, bits: NDArray[np.uint8], seed: bytes, length: int) -> bytes:
        """Return the key of a block, the first bit in the highest bit of the first byte.

        Parameters
        ----------
        bits : ndarray of uint8
            Bits of the block.
        seed : bytes
            Random bits of the Toeplitz matrix; empty for length 0.
        length : int
            Bits of the key, a multiple of 8.
        """
        ...
