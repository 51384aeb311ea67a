"""Tag records: the 64-bit words a receiver sends, and their NumPy form.

======  =====  ===========================================================
bits    field  meaning
======  =====  ===========================================================
63:60   type   `RecordType`
59:54   chan.  channel of the record (see `Channel`), or flags
53:14   coarse fabric clock cycles of 6.4 ns, modulo 2^40
13:0    fine   6.4 ns / 2^14 = 0.390625 ps steps within the cycle
======  =====  ===========================================================

Records other than TAG, EPOCH, SYNC, PPS, CAL carry no time: their low 54 bits
are a body, described at `RecordType`. In packets a record is little-endian.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, FINE_BITS, FINE_STEPS

__all__ = [
    "AUXILIARY_CHANNELS",
    "BODY_BITS",
    "BODY_MASK",
    "CHANNEL_BITS",
    "CHANNEL_SHIFT",
    "COARSE_BITS",
    "COARSE_SHIFT",
    "DETECTOR_CHANNELS",
    "FINE_PS",
    "FRAME_COUNTER_BITS",
    "FRAME_VALID",
    "HORIZON_STEPS",
    "RECORD_BYTES",
    "SAMPLED_FINE_STEP",
    "SYNC_FLYWHEEL",
    "TAGGED_CHANNELS",
    "TIME_BITS",
    "TIME_MODULO",
    "TYPE_BITS",
    "TYPE_SHIFT",
    "Channel",
    "RecordType",
    "pack_records",
    "record_body",
    "record_channel",
    "record_time",
    "record_type",
]

RECORD_BYTES = 8
TYPE_BITS, CHANNEL_BITS, COARSE_BITS = 4, 6, 40
COARSE_SHIFT = FINE_BITS
CHANNEL_SHIFT = COARSE_SHIFT + COARSE_BITS
TYPE_SHIFT = CHANNEL_SHIFT + CHANNEL_BITS
BODY_BITS = TIME_BITS = COARSE_BITS + FINE_BITS
BODY_MASK = (1 << BODY_BITS) - 1
TIME_MODULO = 1 << TIME_BITS
"""Times are counted in fine steps modulo this: they start again after 7036.9 s."""

FINE_PS = FABRIC_PERIOD_PS / FINE_STEPS
"""Duration of a fine step in picoseconds."""

SAMPLED_FINE_STEP = FINE_STEPS // 4
"""Fine steps of a 1.6 ns bin, the resolution of the sampled I/O."""

HORIZON_STEPS = 4 * FINE_STEPS
"""Fine steps by which an event of a `TAGGED_CHANNELS` channel may be later than what that channel's
next mark says of the times to come: an entry of a calibration table is less than four cycles."""


class RecordType(IntEnum):
    """Type of a record."""

    TAG = 1
    """A detection: channel, time of the edge (start of its bin)."""
    EPOCH = 2
    """Lower bound: no later record has an earlier time. Periodic, also in silence; one that would
    come while the link holds up the one before is left out."""
    SYNC = 3
    """First sample of a downlink frame's sync word; channel bits: `SYNC_FLYWHEEL`."""
    FRAME = 4
    """Follows the SYNC it names: body = 48-bit frame counter | mode flags << 48;
    channel bit: `FRAME_VALID`."""
    PPS = 5
    """Pulse-per-second edge."""
    GAP_BEGIN = 6
    """Tags of the channel are lost from here on; body = time of the first lost one."""
    GAP_END = 7
    """The loss of the channel ended; body = number of lost tags. None of them is later than the
    next record with a time, but for 25.6 ns (`HORIZON_STEPS`)."""
    FENCE = 8
    """Answer to a write of the fence register; body = the value written."""
    CAL = 9
    """A calibration event of the channel."""


class Channel(IntEnum):
    """Channels of a receiver. A detector's number is its `Polarisation`."""

    H = 0
    V = 1
    D = 2
    A = 3
    SYNC = 4
    """Sync words, found in the bits of the downlink."""
    PPS = 5
    AUX_1 = 6
    AUX_2 = 7
    LINE = 8
    """Edges of the downlink, from which the sync words' times can be had to picoseconds. They have
    a number of their own, so that their losses are not taken for those of sync words."""


DETECTOR_CHANNELS = (Channel.H, Channel.V, Channel.D, Channel.A)

AUXILIARY_CHANNELS = (Channel.AUX_1, Channel.AUX_2)

TAGGED_CHANNELS = tuple(channel for channel in Channel if channel != Channel.SYNC)
"""Channels whose events are the edges of an input."""

SYNC_FLYWHEEL = 0x01
"""In the channel field of a SYNC: the word itself was not seen, its time is the flywheel's."""
FRAME_VALID = 0x01
"""In the channel field of a FRAME: the header's check sum held; else the counter is the
flywheel's."""
FRAME_COUNTER_BITS = 48


def pack_records(
    types: NDArray[np.integer] | int,
    channels: NDArray[np.integer] | int,
    bodies: NDArray[np.integer] | int,
) -> NDArray[np.uint64]:
    """Build records from their fields.

    Parameters
    ----------
    types, channels : ndarray of int or int
        `RecordType` and channel field, 0 to 15 and 0 to 63.
    bodies : ndarray of int or int
        Times in fine steps, or other bodies; taken modulo 2^54.

    Returns
    -------
    ndarray of uint64, shape of the broadcast arguments
    """
    head = np.asarray(types, np.uint64) << np.uint64(TYPE_SHIFT)
    head = head | np.asarray(channels, np.uint64) << np.uint64(CHANNEL_SHIFT)
    return np.asarray(head | (np.asarray(bodies).astype(np.uint64) & np.uint64(BODY_MASK)))


def record_type(records: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Type field of each record."""
    return (records >> np.uint64(TYPE_SHIFT)).astype(np.uint8)


def record_channel(records: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Channel field of each record."""
    return ((records >> np.uint64(CHANNEL_SHIFT)) & np.uint64(0x3F)).astype(np.uint8)


def record_body(records: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Low 54 bits of each record."""
    return records & np.uint64(BODY_MASK)


def record_time(records: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Time of each record in fine steps of 0.390625 ps, modulo 2^54."""
    return record_body(records).astype(np.int64)
