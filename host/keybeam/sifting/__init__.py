"""Sifting: from clicks and state-log symbols to packets of sifted bits and their counts.

Pure functions and small accumulators over NumPy arrays; both ends of a session use them, so that
what must be equal at both is computed by one piece of code.
"""

from keybeam.sifting.chunks import ChunkCutter
from keybeam.sifting.coding import (
    CodingError,
    decode_indices,
    encode_indices,
    pack_bits,
    pack_intensities,
    unpack_bits,
    unpack_intensities,
)
from keybeam.sifting.comparison import Comparison, compare
from keybeam.sifting.joined import CheckCounts, JoinedPacket, JoinedSifter
from keybeam.sifting.packets import PacketAssembler, SiftedClicks, SiftedPacket

__all__ = [
    "CheckCounts",
    "ChunkCutter",
    "CodingError",
    "Comparison",
    "JoinedPacket",
    "JoinedSifter",
    "PacketAssembler",
    "SiftedClicks",
    "SiftedPacket",
    "compare",
    "decode_indices",
    "encode_indices",
    "pack_bits",
    "pack_intensities",
    "unpack_bits",
    "unpack_intensities",
]
