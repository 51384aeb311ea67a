"""What the stages hand on to one another."""

from typing import TypeVar

import msgspec
import numpy as np

from keybeam.pipeline.ring import Item
from keybeam.session.messages import SessionParameters
from keybeam.session.statistics import BlockStatistics, PacketStatistics
from keybeam.sifting import CheckCounts

__all__ = [
    "CLICK_BATCH",
    "BlockMade",
    "Clicks",
    "Corrected",
    "PacketCounts",
    "Sifted",
    "header_of",
    "item_bytes",
    "pack",
]

CLICK_BATCH = 1 << 17
"""Clicks of an item at most."""

_WORD_BYTES = 4
"""Of a click."""


class PacketCounts(msgspec.Struct, frozen=True, array_like=True):
    """Counts of a packet; see `keybeam.sifting.JoinedPacket`."""

    number: int
    time_s: float
    decoy: int
    vacuum: int
    decoy_errors: int
    sampled: int
    sampled_errors: int
    check: CheckCounts


class Clicks(msgspec.Struct, frozen=True, array_like=True):
    """Header of clicks; the array is their words.

    Attributes
    ----------
    first : int
        Pulse index from which these count; see `keybeam.timing.PackedClicks`.
    detections : int
        Tags that were read since the last item, clicks of no pulse included.
    """

    first: int
    detections: int


class Sifted(msgspec.Struct, frozen=True, array_like=True):
    """Header of a packet; the arrays are the bits sent and the bits received (uint8).

    Attributes
    ----------
    counts : PacketCounts
        Counts of the packet.
    counted : list of tuple of int
        Errors, bits and age of the samples and packets that choose its code; see
        `keybeam.distillation.reconciliation.Counted`.
    """

    counts: PacketCounts
    counted: list[tuple[int, int, int]]


class Corrected(msgspec.Struct, frozen=True, array_like=True):
    """Header of a packet that was reconciled; the array is its bits, empty where that failed.

    Attributes
    ----------
    counts : PacketCounts
        Counts of the packet.
    errors : int
        Bits that were corrected.
    statistics : PacketStatistics
        What is told of the packet.
    """

    counts: PacketCounts
    errors: int
    statistics: PacketStatistics


class BlockMade(msgspec.Struct, frozen=True, array_like=True):
    """Header of a finished block, which has no arrays.

    Attributes
    ----------
    packets : list of PacketStatistics
        All packets of the block, those that failed included.
    block : BlockStatistics or None
        None where all packets failed.
    """

    packets: list[PacketStatistics]
    block: BlockStatistics | None


def pack(header: msgspec.Struct, *arrays: np.ndarray) -> Item:
    """Make an item of a header and its arrays."""
    return Item(msgspec.msgpack.encode(header), arrays)


Header = TypeVar("Header")


def header_of(item: Item, kind: type[Header]) -> Header:
    """Read the header of an item."""
    return msgspec.msgpack.decode(item.header, type=kind)


def item_bytes(parameters: SessionParameters) -> dict[str, int]:
    """Largest size of the items that each stage gives."""
    return {
        "clicks": _WORD_BYTES * CLICK_BATCH + 64,
        "sift": 2 * parameters.packet_bits + 128,
        "reconcile": parameters.packet_bits + 64,
    }
