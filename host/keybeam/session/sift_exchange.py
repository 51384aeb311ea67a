"""The ground station's part of sifting: what it asks about its clicks, and what becomes of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.symbols import Intensity, basis_of, bit_of
from keybeam.session.messages import SessionParameters, SiftReply, SiftRequest
from keybeam.session.randomness import RandomSource, random_mask
from keybeam.session.statistics import DroppedClicks
from keybeam.session.transcript import Transcript
from keybeam.sifting import (
    ChunkCutter,
    CodingError,
    PacketAssembler,
    SiftedClicks,
    SiftedPacket,
    encode_indices,
    pack_bits,
    unpack_bits,
    unpack_intensities,
)

__all__ = ["SiftExchange"]

_CHUNK_SLOTS = 156_250_000
"""Pulse slots of a chunk, 0.25 s: a fraction of what a state log must hold."""
_CHUNK_CLICKS = 8192


@dataclass(frozen=True)
class _AskedChunk:
    request: SiftRequest
    index: NDArray[np.uint64]
    bit: NDArray[np.uint8]
    sampled: NDArray[np.bool_]


class SiftExchange:
    """Asks the satellite about clicks, chunk by chunk, and makes packets of its answers.

    Answers are used in the order of their chunks, whatever the order in which they come.

    Parameters
    ----------
    parameters : SessionParameters
        Sampled fraction and size of a packet.
    random : RandomSource
        Chooses the clicks whose bits are revealed.
    transcript : Transcript
        Notes what was asked and answered, for the signatures of the blocks.

    Attributes
    ----------
    chunks : int
        Chunks asked about so far.
    sifted_bits, sampled_bits : int
        Sifted bits, and signal bits revealed, so far.
    dropped : DroppedClicks
        Clicks that the satellite could not sift so far.
    """

    def __init__(
        self, parameters: SessionParameters, random: RandomSource, transcript: Transcript
    ) -> None:
        self._fraction = parameters.sample_fraction
        self._random = random
        self._transcript = transcript
        self._cutter = ChunkCutter(_CHUNK_SLOTS, _CHUNK_CLICKS)
        self._assembler = PacketAssembler(parameters.packet_bits)
        self._asked: dict[int, _AskedChunk] = {}
        self._answered: dict[int, tuple[SiftReply, SiftedClicks]] = {}
        self._chunks_sifted = 0
        self.chunks = 0
        self.sifted_bits = 0
        self.sampled_bits = 0
        self.dropped = DroppedClicks(0, 0, 0)

    @property
    def unanswered(self) -> int:
        """Chunks that were asked about and are not sifted yet."""
        return len(self._asked)

    @property
    def packets(self) -> int:
        """Full packets so far."""
        return self._assembler.packets

    @property
    def pending_bits(self) -> int:
        """Sifted bits that are in no full packet."""
        return self._assembler.pending_bits

    def cut(self, clicks: NDArray[np.void]) -> list[NDArray[np.void]]:
        """Cut clicks into chunks to ask about.

        Parameters
        ----------
        clicks : ndarray of CLICK_DTYPE
            Gated clicks, one a pulse, in order, later than all before.
        """
        return self._cutter.feed(clicks)

    def cut_rest(self) -> list[NDArray[np.void]]:
        """Cut what is left when there are no more clicks."""
        return self._cutter.flush()

    def ask(self, clicks: NDArray[np.void]) -> SiftRequest:
        """Make the request of the next chunk."""
        number = self.chunks
        self.chunks += 1
        sampled = random_mask(self._random, "sample", clicks.size, self._fraction)
        index = np.ascontiguousarray(clicks["index"])
        bit = bit_of(clicks["channel"])
        request = SiftRequest(
            chunk=number,
            oldest=self._chunks_sifted,
            count=clicks.size,
            indices=encode_indices(index),
            bases=pack_bits(basis_of(clicks["channel"])),
            sampled=pack_bits(sampled),
            bits=pack_bits(bit[sampled]),
            nonce=self._random.draw("nonce", 16),
        )
        self._asked[number] = _AskedChunk(request, index, bit, sampled)
        return request

    def accept(self, reply: SiftReply) -> list[SiftedPacket] | None:
        """Take an answer.

        Parameters
        ----------
        reply : SiftReply
            From the satellite.

        Returns
        -------
        list of SiftedPacket or None
            Packets that are full now; None if the answer is malformed, or to nothing that is open.
        """
        chunk = self._asked.get(reply.chunk)
        if chunk is None or reply.chunk in self._answered:
            return None
        try:
            clicks = _sifted(chunk, reply)
        except CodingError:
            return None
        self._answered[reply.chunk] = (reply, clicks)
        packets: list[SiftedPacket] = []
        while self._chunks_sifted in self._answered:
            packets += self._sift_next()
        return packets

    def _sift_next(self) -> list[SiftedPacket]:
        number = self._chunks_sifted
        self._chunks_sifted += 1
        chunk = self._asked.pop(number)
        reply, clicks = self._answered.pop(number)
        signal = clicks.intensity == Intensity.SIGNAL
        self.sifted_bits += int(np.count_nonzero(signal & ~clicks.sampled))
        self.sampled_bits += int(np.count_nonzero(signal & clicks.sampled))
        self.dropped = DroppedClicks(
            self.dropped.too_old + reply.too_old,
            self.dropped.too_new + reply.too_new,
            self.dropped.invalid + reply.invalid,
        )
        self._transcript.add_chunk(chunk.request, reply)
        packets = self._assembler.feed(clicks)
        for packet in packets:
            following = packet.last_chunk + (packet.last_click == clicks.size - 1)
            self._transcript.begin_packet(packet, following)
        return packets


def _sifted(chunk: _AskedChunk, reply: SiftReply) -> SiftedClicks:
    """Read the satellite's comparison."""
    matching = unpack_bits(reply.matching, chunk.request.count).astype(bool)
    intensity = unpack_intensities(reply.intensities, int(np.count_nonzero(matching)))
    sampled, bit = chunk.sampled[matching], chunk.bit[matching]
    decoy = (intensity == Intensity.DECOY) & ~sampled
    error = np.zeros(bit.size, bool)
    error[decoy] = unpack_bits(reply.decoy_bits, int(np.count_nonzero(decoy))) != bit[decoy]
    return SiftedClicks(chunk.index[matching], intensity, sampled, bit, error)
