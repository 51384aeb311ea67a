"""Sifting where both ends' records are in one place."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.symbols import Intensity
from keybeam.sifting import _sifting

__all__ = ["JoinedPacket", "JoinedSifter"]


class JoinedPacket(NamedTuple):
    """A full packet of both ends' bits.

    Attributes
    ----------
    number : int
        Counts from 0.
    sent, received : ndarray of uint8, shape (packet_bits,)
        The transmitter's and the receiver's bits, zeros and ones.
    decoy, vacuum, decoy_errors, sampled, sampled_errors, last_index : int
        See `keybeam.sifting.SiftedPacket`; here the errors of both ends are known.
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


class JoinedSifter:
    """Makes packets of clicks and the symbols that were sent.

    Equals looking the symbols up, `compare`, and a `PacketAssembler` at each end; clicks outside of
    the record are left out.

    Parameters
    ----------
    pairs : ndarray of uint8, shape (p,)
        Symbols of 2p pulses, two a byte, that of the earlier one in the low four bits.
    first : int
        Pulse index of the first symbol.
    packet_bits : int
        Sifted bits of a packet.
    """

    def __init__(self, pairs: NDArray[np.uint8], first: int, packet_bits: int) -> None:
        self._symbols = (pairs, first, Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM)
        self._packet_bits = packet_bits
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        self._sent, self._received = np.empty((2, self._packet_bits), np.uint8)
        # Bits, decoy and vacuum clicks, decoy errors, sampled clicks, errors among these.
        self._counts = np.zeros(6, np.uint64)

    def feed(self, clicks: NDArray[np.void], sampled: NDArray[np.bool_]) -> Iterator[JoinedPacket]:
        """Add clicks; give the packets that are complete.

        Parameters
        ----------
        clicks : structured ndarray, shape (n,)
            Clicks later than all before; the fields ``index`` (uint64) and ``channel`` (uint8) are
            the first two, without padding.
        sampled : ndarray of bool, shape (n,)
            Whether the receiver reveals the bit of the click.

        Raises
        ------
        ValueError
            If the arrays are not of one length.
        """
        octets, marks = np.ascontiguousarray(clicks).view(np.uint8), sampled.view(np.uint8)
        if marks.size != clicks.size:
            raise ValueError("every click has one mark")
        stride, begin = clicks.dtype.itemsize, 0
        while begin < clicks.size:
            begin += _sifting.sift_clicks(
                *self._symbols,
                octets[begin * stride :],
                stride,
                marks[begin:],
                self._sent,
                self._received,
                self._counts,
            )
            bits, decoy, vacuum, decoy_errors, sampled_clicks, errors = self._counts.tolist()
            if bits == self._packet_bits:
                yield JoinedPacket(
                    self._number,
                    self._sent,
                    self._received,
                    decoy,
                    vacuum,
                    decoy_errors,
                    sampled_clicks,
                    errors,
                    int(clicks["index"][begin - 1]),
                )
                self._number += 1
                self._begin()
