"""The steps of distillation as a session uses them."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import BlockCounts, KeyLength
from keybeam.distillation.reconciliation import Counted

__all__ = ["Correction", "Disclosure", "Distiller"]


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


class Correction(Protocol):
    """The correction of one packet, in as many attempts as it takes."""

    def attempt(self) -> NDArray[np.uint8] | None:
        """Return the sender's bits, or None where they are not found, or fail verification."""
        ...

    def doubtful(self) -> NDArray[np.uint32]:
        """Places of the bits to ask for after a failed attempt, rising; none to give up."""
        ...

    def tell(self, places: NDArray[np.uint32], bits: NDArray[np.uint8]) -> None:
        """Take the sender's bits at some places, before the next attempt."""
        ...


class Distiller(Protocol):
    """The steps of distillation, equal at both ends.

    Attributes
    ----------
    rounds : int
        Times that single bits of a packet may be asked for.
    """

    rounds: int

    @property
    def fingerprint(self) -> bytes:
        """Bytes that are equal where the codes are."""
        ...

    def disclose(self, bits: NDArray[np.uint8], counted: list[Counted], key: bytes) -> Disclosure:
        """Help the receiver with a packet.

        Parameters
        ----------
        bits : ndarray of uint8
            The sender's bits.
        counted : list of Counted
            Errors counted so far, in samples and in corrected packets, which choose the code.
        key : bytes
            Random key of the verification.
        """
        ...

    def correction(
        self, bits: NDArray[np.uint8], disclosure: Disclosure, key: bytes
    ) -> Correction | None:
        """Begin to correct a packet.

        Parameters
        ----------
        bits : ndarray of uint8
            The receiver's bits.
        disclosure : Disclosure
            What the sender told.
        key : bytes
            Random key of the verification.

        Returns
        -------
        Correction or None
            None where the disclosure makes no sense.
        """
        ...

    def key_length(
        self, counts: BlockCounts, signal_errors: int, leak_bits: int, dropped_packets: int
    ) -> KeyLength:
        """Return the length of a block's key.

        Parameters
        ----------
        counts : BlockCounts
            Counts of the block.
        signal_errors : int
            Wrong bits among its signal clicks.
        leak_bits : int
            Bits disclosed about it.
        dropped_packets : int
            Packets of the block that were dropped.
        """
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
