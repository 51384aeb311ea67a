"""Registers of the receiver core."""

from amaranth.hdl import unsigned

from keybeam.protocol.downlink import SYNC_BYTES, SYNC_WORD
from keybeam.protocol.records import COARSE_BITS, Channel
from keybeam_gateware.line import SyncState
from keybeam_gateware.soc import csr

__all__ = [
    "DEFAULT_EPOCH_UNITS",
    "EVENT_COUNTERS",
    "LINE_COUNTERS",
    "Channels",
    "Control",
    "Epoch",
    "Events",
    "Fence",
    "Line",
    "Snapshot",
    "Status",
    "Sync",
    "SyncWord",
    "Time",
    "counter_register",
]

DEFAULT_EPOCH_UNITS = 1 << 10
"""Units of 2^10 cycles between EPOCH records after reset: together 2^20 cycles, 6.7 ms."""


class Control(csr.Register, access="rw"):
    """Switch of the tag stream.

    stream : Let records out. While 0 they are thrown away, not queued.
    """

    stream: csr.Field(csr.action.RW, 1)


class Channels(csr.Register, access="rw"):
    """Channels that record events.

    enable : One bit a channel: H, V, D, A, SYNC, PPS from bit 0 on; at 0 it does not even count.
    """

    enable: csr.Field(csr.action.RW, unsigned(len(Channel)), init=(1 << len(Channel)) - 1)


class Line(csr.Register, access="rw"):
    """Settings of the data recovery.

    hysteresis : Lead of edges to one side, 1 to 31, that moves the sampling phase by a sample.
    """

    hysteresis: csr.Field(csr.action.RW, 5, init=8)


class Sync(csr.Register, access="rw"):
    """Settings of the sync-word extractor.

    search_tolerance : Wrong bits allowed in a sync word while searching, 0 to 15.
    lock_tolerance : Wrong bits allowed in a sync word while verifying and when locked, 0 to 15.
    verify_frames : Further sync words, at exactly the length of a frame, that a candidate needs.
    flywheel_frames : Sync words that may be missed in a row before the lock is given up.
    short : Compare the first 32 bits of `sync_word` only.
    """

    search_tolerance: csr.Field(csr.action.RW, 4, init=2)
    lock_tolerance: csr.Field(csr.action.RW, 4, init=8)
    verify_frames: csr.Field(csr.action.RW, 4, init=2)
    flywheel_frames: csr.Field(csr.action.RW, 8, init=4)
    short: csr.Field(csr.action.RW, 1)


class SyncWord(csr.Register, access="rw"):
    """What stands in the place of the sync word on the downlink.

    word : The sync word, its first bit highest; one of 32 bits is followed by its fill.
    """

    word: csr.Field(csr.action.RW, 8 * SYNC_BYTES, init=SYNC_WORD)


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


def counter_register(meaning: str, width: int) -> csr.Register:
    """Make the register of a counter.

    Parameters
    ----------
    meaning : str
        What is counted, as the beginning of a sentence.
    width : int
        Bits of the counter.

    Returns
    -------
    csr.Register
        A register of a class of its own, whose docstring says what is counted.
    """
    text = f"""{meaning}, as of the last snapshot.

    count : The count, modulo 2^{width}.
    """
    fields = {"count": csr.Field(csr.action.R, width)}
    return type(
        "Counter", (csr.Register,), {"__doc__": text, "__annotations__": fields}, access="r"
    )()


EVENT_COUNTERS = {
    "arrived": "{} events that arrived (= merged + dropped + still queued)",
    "merged": "{} events that left through the merge (thrown away there while the stream is off)",
    "dropped": "{} events that were lost and marked by a gap",
}
"""Counters of 64 bits of every channel; the names are followed by the channel's."""

LINE_COUNTERS = {
    "bit_slips": "Cycles with no line bit or two, which follow the offset of the two clocks",
    "syncs_seen": "Sync words seen while locked",
    "syncs_flywheel": "Sync words missed while locked, whose times were filled in",
    "locks_lost": "Times the lock on the sync word was given up",
    "headers_bad": "Frames whose header failed its check",
    "frames_good": "Frames whose check sum held",
    "frames_bad": "Frames whose check sum failed or that were cut short",
    "messages_dropped": "Good frames whose payload found no room",
}
"""Counters of 32 bits of the downlink."""
