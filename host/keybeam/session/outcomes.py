"""What became of packets and blocks at the ground station."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import binary_entropy
from keybeam.protocol.numbers import SLOT_PS
from keybeam.session.distiller import Disclosure
from keybeam.session.messages import BitsReply, Syndrome
from keybeam.session.statistics import BlockStatistics, PacketStatistics
from keybeam.sifting import SiftedPacket

__all__ = ["PacketOutcome", "block_statistics", "packet_outcome"]


@dataclass(frozen=True)
class PacketOutcome:
    """What became of a packet.

    Attributes
    ----------
    packet : SiftedPacket
        The packet as it was sifted.
    bits : ndarray of uint8
        The satellite's bits; empty where the packet was dropped.
    errors : int
        Bits in which the ends differed; 0 where the packet was dropped.
    statistics : PacketStatistics
        What is reported of it.
    """

    packet: SiftedPacket
    bits: NDArray[np.uint8]
    errors: int
    statistics: PacketStatistics


def packet_outcome(
    packet: SiftedPacket,
    message: Syndrome,
    told: Sequence[BitsReply],
    corrected: NDArray[np.uint8] | None,
) -> PacketOutcome:
    """Take stock of a packet whose correction has ended.

    Parameters
    ----------
    packet : SiftedPacket
        The packet as it was sifted.
    message : Syndrome
        What the satellite disclosed of it.
    told : sequence of BitsReply
        Bits that it disclosed after; all of them count as leaked.
    corrected : ndarray of uint8 or None
        The satellite's bits; None if the packet is dropped.
    """
    size = packet.bits.size
    good = corrected is not None
    errors = int(np.count_nonzero(corrected != packet.bits)) if good else 0
    leak_bits = Disclosure(message.code, message.syndrome, message.tag).leak_bits
    leak_bits += sum(8 * len(reply.bits) for reply in told)
    shannon_bits = size * binary_entropy(errors / size)
    statistics = PacketStatistics(
        index=packet.number,
        time_s=_time_s(packet.last_index),
        good=good,
        qber=errors / size if good else None,
        sampled_qber=message.sampled_errors / max(message.sampled, 1),
        sampled=message.sampled,
        code=message.code,
        leak_bits=leak_bits,
        efficiency=leak_bits / shannon_bits if shannon_bits else None,
    )
    bits = packet.bits[:0] if corrected is None else corrected
    return PacketOutcome(packet, bits, errors, statistics)


def block_statistics(number: int, outcomes: Sequence[PacketOutcome]) -> BlockStatistics:
    """Add up a block before its length is known.

    Parameters
    ----------
    number : int
        Number of the block.
    outcomes : sequence of PacketOutcome
        Its packets, all good, in order; at least one.
    """
    packets = [outcome.packet for outcome in outcomes]
    signal = sum(packet.bits.size for packet in packets)
    return BlockStatistics(
        index=number,
        time_s=_time_s(packets[-1].last_index),
        packets=[packet.number for packet in packets],
        signal=signal,
        decoy=sum(packet.decoy for packet in packets),
        vacuum=sum(packet.vacuum for packet in packets),
        decoy_errors=sum(packet.decoy_errors for packet in packets),
        qber=sum(outcome.errors for outcome in outcomes) / signal,
        leak_bits=sum(outcome.statistics.leak_bits for outcome in outcomes),
        s1=0.0,
        e1=0.5,
        length_bits=0,
        abandoned="",
    )


def _time_s(index: int) -> float:
    return index * SLOT_PS * 1e-12
