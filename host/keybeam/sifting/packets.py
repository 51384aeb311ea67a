"""Packets of sifted bits, and which click counts for which packet.

Both ends walk through the same clicks in the same order (chunk by chunk, and
within a chunk by pulse index) and apply the same rule, so they need not tell
each other where a packet begins:

* A click takes part when its basis matches and its symbol is valid.
* A *sampled* click never counts for S_μ, S_ν or S_o and never becomes key;
  sampled signal clicks estimate the error rate of the packet in which they lie.
  So key and counts are those of one and the same set, the clicks not sampled,
  which is a random part of all.
* A signal click not sampled gives one sifted bit. The click with the
  `packet_bits`-th bit closes the packet; the next click is the first of the
  next packet. Decoy and vacuum clicks count for the packet in which they lie.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.symbols import Intensity

__all__ = ["PacketAssembler", "SiftedClicks", "SiftedPacket"]


@dataclass(frozen=True)
class SiftedClicks:
    """The matching clicks of a chunk, in order, as one end knows them.

    Attributes
    ----------
    index : ndarray of uint64, shape (n,)
        Pulse index.
    intensity : ndarray of uint8, shape (n,)
        `Intensity` that was sent.
    sampled : ndarray of bool, shape (n,)
        Whether the receiver revealed its bit.
    bit : ndarray of uint8, shape (n,)
        This end's own bit.
    error : ndarray of bool, shape (n,)
        Whether the ends' bits are known to differ: the transmitter knows it of sampled
        clicks, the receiver of decoy clicks.
    """

    index: NDArray[np.uint64]
    intensity: NDArray[np.uint8]
    sampled: NDArray[np.bool_]
    bit: NDArray[np.uint8]
    error: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Number of clicks."""
        return int(self.index.size)

    def part(self, begin: int, end: int) -> "SiftedClicks":
        """Return the clicks from `begin` up to but without `end`."""
        return SiftedClicks(
            self.index[begin:end],
            self.intensity[begin:end],
            self.sampled[begin:end],
            self.bit[begin:end],
            self.error[begin:end],
        )


@dataclass(frozen=True)
class SiftedPacket:
    """A full packet, as one end knows it.

    Attributes
    ----------
    number : int
        Counts from 0.
    bits : ndarray of uint8, shape (packet_bits,)
        Sifted bits, zeros and ones.
    decoy, vacuum : int
        Decoy and vacuum clicks that were not sampled; the signal clicks are the bits.
    decoy_errors : int
        Errors among the decoy clicks; known to the receiver only, else 0.
    sampled, sampled_errors : int
        Sampled signal clicks, and the errors among them; the errors are known to the
        transmitter only, else 0.
    first_chunk, last_chunk : int
        Chunks in which the packet begins and ends.
    first_click, last_click : int
        Place among the matching clicks of the first chunk at which the packet begins, and
        of the last chunk at which it ends.
    last_index : int
        Pulse index of the last bit.
    """

    number: int
    bits: NDArray[np.uint8]
    decoy: int
    vacuum: int
    decoy_errors: int
    sampled: int
    sampled_errors: int
    first_chunk: int
    last_chunk: int
    first_click: int
    last_click: int
    last_index: int


def _join(parts: list[SiftedClicks]) -> SiftedClicks:
    return SiftedClicks(
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.intensity for part in parts]),
        np.concatenate([part.sampled for part in parts]),
        np.concatenate([part.bit for part in parts]),
        np.concatenate([part.error for part in parts]),
    )


class PacketAssembler:
    """Collects matching clicks, chunk after chunk, into packets.

    Parameters
    ----------
    packet_bits : int
        Sifted bits of a packet.

    Attributes
    ----------
    packets : int
        Packets completed.
    pending_bits : int
        Sifted bits that wait for the rest of their packet.
    first_chunk : int
        Chunk in which the packet begins that is being collected.
    """

    def __init__(self, packet_bits: int) -> None:
        self._packet_bits = packet_bits
        self._parts: list[SiftedClicks] = []
        self.packets = 0
        self.pending_bits = 0
        self.first_chunk = 0
        self._first_click = 0
        self._next_chunk = 0

    def feed(self, clicks: SiftedClicks) -> list[SiftedPacket]:
        """Add the matching clicks of the next chunk; return the packets that are complete."""
        chunk = self._next_chunk
        self._next_chunk += 1
        key = (clicks.intensity == Intensity.SIGNAL) & ~clicks.sampled
        places = np.flatnonzero(key)
        complete = []
        begin, used = 0, 0
        while places.size - used >= self._packet_bits - self.pending_bits:
            used += self._packet_bits - self.pending_bits
            end = int(places[used - 1]) + 1
            self._parts.append(clicks.part(begin, end))
            complete.append(self._close(chunk, end))
            at_end = end == clicks.size
            self.first_chunk = chunk + 1 if at_end else chunk
            self._first_click = 0 if at_end else end
            begin = end
        if begin < clicks.size:
            self._parts.append(clicks.part(begin, clicks.size))
            self.pending_bits += places.size - used
        return complete

    def _close(self, chunk: int, end: int) -> SiftedPacket:
        clicks = _join(self._parts)
        kept = ~clicks.sampled
        signal = clicks.intensity == Intensity.SIGNAL
        decoy = (clicks.intensity == Intensity.DECOY) & kept
        packet = SiftedPacket(
            number=self.packets,
            bits=clicks.bit[signal & kept],
            decoy=int(np.count_nonzero(decoy)),
            vacuum=int(np.count_nonzero((clicks.intensity == Intensity.VACUUM) & kept)),
            decoy_errors=int(np.count_nonzero(decoy & clicks.error)),
            sampled=int(np.count_nonzero(signal & clicks.sampled)),
            sampled_errors=int(np.count_nonzero(signal & clicks.sampled & clicks.error)),
            first_chunk=self.first_chunk,
            last_chunk=chunk,
            first_click=self._first_click,
            last_click=end - 1,
            last_index=int(clicks.index[-1]),
        )
        self._parts = []
        self.pending_bits = 0
        self.packets += 1
        return packet
