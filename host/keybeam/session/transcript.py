"""The record of everything unsigned that a packet depends on, for the signatures of its block.

Both ends write the same bytes in the same order: for every packet, where it
begins and ends, all sifting messages from the chunk in which it begins to the
one in which it ends, its syndrome, the bits asked for and told, and its result.
A chunk in which one packet ends and the next begins stands in both.
"""

import struct

from keybeam.session.messages import (
    BitsReply,
    BitsRequest,
    PacketResult,
    SiftReply,
    SiftRequest,
    Syndrome,
    encode_message,
)
from keybeam.sifting import SiftedPacket

__all__ = ["Transcript"]

_PACKET = struct.Struct("<QQQQQ")


class Transcript:
    """Collects the transcripts of packets."""

    def __init__(self) -> None:
        self._chunks: dict[int, tuple[bytes, bytes]] = {}
        self._packets: dict[int, list[bytes]] = {}

    def add_chunk(self, request: SiftRequest, reply: SiftReply) -> None:
        """Add the next chunk."""
        self._chunks[request.chunk] = (encode_message(request), encode_message(reply))

    def begin_packet(self, packet: SiftedPacket, next_chunk: int) -> None:
        """Begin the transcript of a packet whose chunks are all here.

        Parameters
        ----------
        packet : SiftedPacket
            The packet.
        next_chunk : int
            Chunk in which the next packet begins; those before are forgotten.
        """
        parts = [
            _PACKET.pack(
                packet.number,
                packet.first_chunk,
                packet.first_click,
                packet.last_chunk,
                packet.last_click,
            )
        ]
        for chunk in range(packet.first_chunk, packet.last_chunk + 1):
            parts += self._chunks[chunk]
        self._packets[packet.number] = parts
        for chunk in range(packet.first_chunk, next_chunk):
            del self._chunks[chunk]

    def end_packet(
        self,
        syndrome: Syndrome,
        told: list[tuple[BitsRequest, BitsReply]],
        result: PacketResult,
    ) -> None:
        """Complete the transcript of a good packet; forget that of another."""
        if result.good:
            messages = [syndrome, *(message for pair in told for message in pair), result]
            self._packets[result.packet] += [encode_message(message) for message in messages]
        else:
            del self._packets[result.packet]

    def parts(self, packets: list[int]) -> list[bytes]:
        """Transcript of the packets of a block."""
        return [part for packet in packets for part in self._packets[packet]]

    def forget(self, packets: list[int]) -> None:
        """Drop the transcripts of packets that were used."""
        for packet in packets:
            del self._packets[packet]
