"""Sifting where both ends' records are in one place."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.symbols import Basis, Intensity
from keybeam.sifting import _sifting
from keybeam.timing import PackedClicks

__all__ = ["CheckCounts", "JoinedPacket", "JoinedSifter"]


class CheckCounts(NamedTuple):
    """Clicks of the basis that checks, which are not sampled; zeros where both make key.

    Attributes
    ----------
    signal, decoy, vacuum : int
        Clicks of each intensity.
    signal_errors, decoy_errors : int
        Wrong bits among them.
    """

    signal: int
    decoy: int
    vacuum: int
    signal_errors: int
    decoy_errors: int


class JoinedPacket(NamedTuple):
    """A full packet of both ends' bits.

    Attributes
    ----------
    number : int
        Counts from 0.
    sent, received : ndarray of uint8, shape (packet_bits,)
        The transmitter's and the receiver's bits, zeros and ones.
    decoy, vacuum, decoy_errors, sampled, sampled_errors, last_index : int
        See `keybeam.sifting.SiftedPacket`; here the errors of both ends are known. All are of bases
        that make key.
    check : CheckCounts
        Clicks of the other basis.
    """

    number: int
    sent: NDArray[np.uint8]
    received: NDArray[np.uint8]
    decoy: int
    vacuum: int
    decoy_errors: int
    sampled: int
    sampled_errors: int
    last_index: int
    check: CheckCounts


class JoinedSifter:
    """Makes packets of clicks and the symbols that were sent.

    Equals looking the symbols up, `compare`, and a `PacketAssembler` at each end; clicks outside of
    the record are left out. A click of the basis that checks gives no bit; it is counted for the
    packet in which it lies, unless it is sampled: so key and checks are of one and the same random
    part of all clicks.

    Parameters
    ----------
    pairs : ndarray of uint8, shape (p,)
        Symbols of 2p pulses, two a byte, that of the earlier one in the low four bits.
    first : int
        Pulse index of the first symbol.
    packet_bits : int
        Sifted bits of a packet.
    check_basis : Basis or None
        The basis that only checks; None where both make key.
    vectors : bool
        Use the vector instructions that the processor has; what comes out is the same without.
    """

    def __init__(
        self,
        pairs: NDArray[np.uint8],
        first: int,
        packet_bits: int,
        check_basis: Basis | None = None,
        *,
        vectors: bool = True,
    ) -> None:
        checks = 0 if check_basis is None else 1 << check_basis
        self._symbols = (pairs, first, Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM, checks)
        self._packet_bits = packet_bits
        self._vectors = vectors
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        self._sent, self._received = np.empty((2, self._packet_bits), np.uint8)
        # Bits, decoy and vacuum clicks, decoy errors, sampled clicks, errors among these; those of
        # the basis that checks.
        self._counts = np.zeros(6 + len(CheckCounts._fields), np.uint64)

    def feed(self, clicks: PackedClicks, sampled: NDArray[np.bool_]) -> Iterator[JoinedPacket]:
        """Add clicks; give the packets that are complete.

        Parameters
        ----------
        clicks : PackedClicks
            Clicks later than all before.
        sampled : ndarray of bool, shape (n,)
            Whether the receiver reveals the bit of the click.

        Raises
        ------
        ValueError
            If the arrays are not of one length.
        """
        words, marks = clicks.words, sampled.view(np.uint8)
        if marks.size != words.size:
            raise ValueError("every click has one mark")
        begin = 0
        while begin < words.size:
            begin += _sifting.sift_clicks(
                *self._symbols,
                words[begin:],
                clicks.first,
                marks[begin:],
                self._sent,
                self._received,
                self._counts,
                self._vectors,
            )
            bits, decoy, vacuum, decoy_errors, *counts = self._counts.tolist()
            sampled_clicks, sampled_errors, *check = counts
            if bits == self._packet_bits:
                last = clicks.index_at(begin - 1)
                yield JoinedPacket(
                    self._number,
                    self._sent,
                    self._received,
                    decoy,
                    vacuum,
                    decoy_errors,
                    sampled_clicks,
                    sampled_errors,
                    last,
                    CheckCounts(*check),
                )
                self._number += 1
                self._begin()
