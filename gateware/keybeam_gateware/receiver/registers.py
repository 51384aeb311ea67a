"""Registers of the receiver core."""

from amaranth.hdl import unsigned

from keybeam.protocol.records import COARSE_BITS, DETECTOR_CHANNELS, Channel
from keybeam_gateware.line import SyncState
from keybeam_gateware.soc import csr

__all__ = [
    "DEFAULT_CHANNELS",
    "DEFAULT_EPOCH_UNITS",
    "EVENT_COUNTERS",
    "Channels",
    "Control",
    "Epoch",
    "Events",
    "Fence",
    "Snapshot",
    "Status",
    "Time",
]

DEFAULT_EPOCH_UNITS = 1 << 10
"""Units of 2^10 cycles between EPOCH records after reset: together 2^20 cycles, 6.7 ms."""


DEFAULT_CHANNELS = sum(1 << channel for channel in (*DETECTOR_CHANNELS, Channel.SYNC, Channel.PPS))
"""Channels that record after reset. Nothing need be connected to the auxiliary inputs, and all
edges of the downlink are more than any link to a host takes."""


class Control(csr.Register, access="rw"):
    """Switch of the tag stream.

    stream : Let records out. While 0 they are thrown away, not queued.
    """

    stream: csr.Field(csr.action.RW, 1)


class Channels(csr.Register, access="rw"):
    """Channels that record events.

    enable : One bit a channel, at 0 it does not even count: from bit 0 on H, V, D, A, SYNC (sync
        words), PPS, AUX_1, AUX_2, LINE (edges of the downlink).
    """

    enable: csr.Field(csr.action.RW, unsigned(len(Channel)), init=DEFAULT_CHANNELS)


class Status(csr.Register, access="r"):
    """What the receiver does now.

    signal : Edges are seen on the line.
    sync_state : 0 searching, 1 verifying, 2 locked.
    gap : Channels whose events are being lost, one bit each as in `channels.enable`.
    fence : A FENCE record is waiting to leave; another request would be ignored.
    """

    signal: csr.Field(csr.action.R, 1)
    sync_state: csr.Field(csr.action.R, SyncState.as_shape().width)
    gap: csr.Field(csr.action.R, len(Channel))
    fence: csr.Field(csr.action.R, 1)


class Events(csr.Register, access="rw"):
    """What happened since it was last cleared; writing 1 to a bit clears it, and so does reset.

    signal_lost : The line had no edges for too long.
    lock_lost : The sync-word extractor gave up its lock.
    flywheel : A sync word was missed and its time filled in.
    header_bad : A frame's header failed its check.
    frame_bad : A frame failed its check sum or was cut short.
    message_dropped : The payload of a good frame found no room.
    gap : Events of a channel were lost, one bit each as in `channels.enable`.
    """

    signal_lost: csr.Field(csr.action.RW1C, 1)
    lock_lost: csr.Field(csr.action.RW1C, 1)
    flywheel: csr.Field(csr.action.RW1C, 1)
    header_bad: csr.Field(csr.action.RW1C, 1)
    frame_bad: csr.Field(csr.action.RW1C, 1)
    message_dropped: csr.Field(csr.action.RW1C, 1)
    gap: csr.Field(csr.action.RW1C, len(Channel))


class Epoch(csr.Register, access="rw"):
    """EPOCH records.

    period : Units of 2^10 cycles (6.5536 µs) between two records; 0 works as 1.
    """

    period: csr.Field(csr.action.RW, 16, init=DEFAULT_EPOCH_UNITS)


class Fence(csr.Register, access="w"):
    """Asks for a FENCE record: what comes before it in the stream happened before this write.

    value : Body of the record.
    """

    value: csr.Field(csr.action.W, 32)


class Snapshot(csr.Register, access="w"):
    """Copies all counters, and the time, at the same moment to where they are read.

    take : Write 1 to copy.
    """

    take: csr.Field(csr.action.W, 1)


class Time(csr.Register, access="r"):
    """The time of the last snapshot.

    cycle : Fabric clock cycles since reset, modulo 2^40.
    """

    cycle: csr.Field(csr.action.R, COARSE_BITS)


EVENT_COUNTERS = {
    "arrived": "{} events that arrived (= merged + dropped + still queued)",
    "merged": "{} events that left through the merge (thrown away there while the stream is off)",
    "dropped": "{} events that were lost and marked by a gap",
}
"""Counters of 64 bits of every channel; the names are followed by the channel's."""
