"""Splitting of records: detections with unwrapped times, and the few records that are others.

Almost all records of a receiver are detections, so this is where decoding takes its time. Two
kernels in C++ do it in one pass: `split_records` gives detections, `scan_records` leaves them in
their records, to be decoded where they are placed. `split_records_numpy` is the twin of both.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.records import (
    TIME_BITS,
    TIME_MODULO,
    TYPE_SHIFT,
    RecordType,
    pack_records,
    record_channel,
    record_time,
    record_type,
)
from keybeam.timing import _tags

__all__ = [
    "TAG_DTYPE",
    "PackedTags",
    "ScannedRecords",
    "SplitRecords",
    "StreamTime",
    "following_time",
    "pack_tags",
    "scan_records",
    "split_records",
    "split_records_numpy",
]

TAG_DTYPE = np.dtype([("time", "<i8"), ("channel", "u1")])
"""A detection: unwrapped time in fine steps of 0.390625 ps, channel."""

_TIMED = (
    RecordType.TAG,
    RecordType.EPOCH,
    RecordType.SYNC,
    RecordType.PPS,
    RecordType.CAL,
    RecordType.GAP_BEGIN,
)
_ORDERED = tuple(kind for kind in _TIMED if kind != RecordType.GAP_BEGIN)
_TYPES = np.arange(16)
_IS_TIMED, _IS_ORDERED = np.isin(_TYPES, _TIMED), np.isin(_TYPES, _ORDERED)
_SEARCHED = 256  # records at a time; the next time is mostly in the next record
_LAYOUT = (
    TIME_BITS,
    TYPE_SHIFT,
    int(RecordType.TAG),
    int(RecordType.EPOCH),
    sum(1 << kind for kind in _TIMED),
    sum(1 << kind for kind in _ORDERED),
)


@dataclass(frozen=True)
class StreamTime:
    """Where a stream of records has come to.

    Attributes
    ----------
    known : bool
        Whether there was a time at all.
    restarted : bool
        Whether the board started again, so that the next time is later than all before, however
        small it is.
    time : int
        Unwrapped time of the last record with a time, in fine steps; 0 where there was none.
    ordered : int
        The same of those types only whose times never fall: all but GAP_BEGIN.
    """

    known: bool = False
    restarted: bool = False
    time: int = 0
    ordered: int = 0


class SplitRecords(NamedTuple):
    """What records hold.

    Attributes
    ----------
    tags : ndarray of TAG_DTYPE
        Detections of the wanted channels, in the order of the records.
    places : ndarray of int64
        Which of the records are others: neither detections nor EPOCH.
    times : ndarray of int64
        Unwrapped time of each of those; where one has no time of its own, that before it.
    first_time : int
        Unwrapped time of the first record that has one; where none has, that before them.
    stream : StreamTime
        Where the stream has come to.
    """

    tags: NDArray[np.void]
    places: NDArray[np.int64]
    times: NDArray[np.int64]
    first_time: int
    stream: StreamTime


class PackedTags(NamedTuple):
    """Detections in their records, whose times lie within a quarter of the modulus of one.

    Attributes
    ----------
    words : ndarray of uint64
        Records; those that are no detections of wanted channels are to be left out.
    base : int
        An unwrapped time; that of each detection is the one closest to it, in fine steps.
    channels : int
        Detections of channels below this number are wanted.
    size : int
        Number of detections.
    earliest : int
        Earliest of their unwrapped times.
    """

    words: NDArray[np.uint64]
    base: int
    channels: int
    size: int
    earliest: int

    def unpacked(self) -> NDArray[np.void]:
        """Give the detections as an array of TAG_DTYPE."""
        return split_records(self.words, self.channels, StreamTime(known=True, time=self.base)).tags


class ScannedRecords(NamedTuple):
    """What records hold, with the detections still in them; see `SplitRecords`.

    Attributes
    ----------
    tags : tuple of PackedTags
        Detections of the wanted channels, in the order of the records.
    places, times, first_time, stream
        As in `SplitRecords`.
    """

    tags: tuple[PackedTags, ...]
    places: NDArray[np.int64]
    times: NDArray[np.int64]
    first_time: int
    stream: StreamTime


def scan_records(records: NDArray[np.uint64], channels: int, stream: StreamTime) -> ScannedRecords:
    """Find all that is in records, and leave the detections where they are.

    Parameters
    ----------
    records, channels, stream
        As `split_records`. What comes out refers to the array, which must not change.
    """
    records = np.ascontiguousarray(records, np.uint64)
    scanned = _tags.scan_records(
        records,
        channels,
        stream.known,
        stream.restarted,
        stream.time,
        stream.ordered,
        *_LAYOUT,
    )
    if scanned is None:  # times so far apart are none of a sound board
        tags, places, times, first_time, after = split_records(records, channels, stream)
        return ScannedRecords(pack_tags(tags), places, times, first_time, after)
    count, earliest, places, times, first_time, known, restarted, time, ordered = scanned
    after = StreamTime(known, restarted, time, ordered)
    packed = (PackedTags(records, first_time, channels, count, earliest),) if count else ()
    return ScannedRecords(packed, places, times, first_time, after)


def pack_tags(tags: NDArray[np.void]) -> tuple[PackedTags, ...]:
    """Put detections into records again.

    Parameters
    ----------
    tags : ndarray of TAG_DTYPE
        Detections with unwrapped times.

    Returns
    -------
    tuple of PackedTags
        Runs of them with times that are close together, one after another.
    """
    packed, begin = [], 0
    while begin < tags.size:
        base = int(tags["time"][begin])
        far = np.flatnonzero(np.abs(tags["time"][begin:] - base) >= TIME_MODULO // 8)
        part = tags[begin : begin + int(far[0])] if far.size else tags[begin:]
        words = pack_records(RecordType.TAG, part["channel"], part["time"] % TIME_MODULO)
        channels = int(part["channel"].max()) + 1
        packed.append(PackedTags(words, base, channels, part.size, int(part["time"].min())))
        begin += part.size
    return tuple(packed)


def split_records(records: NDArray[np.uint64], channels: int, stream: StreamTime) -> SplitRecords:
    """Split records.

    Each time is taken less than half the modulus of 2^54 steps from the one before it.

    Parameters
    ----------
    records : ndarray of uint64, shape (n,)
        Records in the order in which the board sent them.
    channels : int
        Detections of channels below this number are wanted, 1 to 64.
    stream : StreamTime
        Where the stream had come to before them.
    """
    tags = np.empty(records.size, TAG_DTYPE)
    count, places, times, first_time, known, restarted, time, ordered = _tags.split_records(
        np.ascontiguousarray(records, np.uint64),
        tags.view(np.uint8),
        channels,
        stream.known,
        stream.restarted,
        stream.time,
        stream.ordered,
        *_LAYOUT,
    )
    after = StreamTime(known, restarted, time, ordered)
    return SplitRecords(tags[:count], places, times, first_time, after)


def split_records_numpy(
    records: NDArray[np.uint64], channels: int, stream: StreamTime
) -> SplitRecords:
    """Do the same as `split_records`, bit for bit, in NumPy.

    Parameters
    ----------
    records, channels, stream
        As `split_records`.
    """
    types, channel = record_type(records), record_channel(records)
    timed = _IS_TIMED[types]
    times = np.full(records.size, stream.time, np.int64)
    first_time = stream.time
    if timed.any():
        unwrapped = _unwrap(record_time(records[timed]), stream)
        place = np.cumsum(timed) - 1
        times[place >= 0] = unwrapped[place[place >= 0]]
        first_time = int(unwrapped[0])
        ordered = times[_IS_ORDERED[types]]
        stream = replace(
            stream,
            known=True,
            restarted=False,
            time=int(unwrapped[-1]),
            ordered=int(ordered[-1]) if ordered.size else stream.ordered,
        )
    is_tag = types == RecordType.TAG
    wanted = is_tag & (channel < channels)
    tags = np.empty(np.count_nonzero(wanted), TAG_DTYPE)
    tags["time"], tags["channel"] = times[wanted], channel[wanted]
    places = np.flatnonzero(~is_tag & (types != RecordType.EPOCH))
    return SplitRecords(tags, places, times[places], first_time, stream)


def following_time(records: NDArray[np.uint64], place: int, time: int) -> int | None:
    """Find the next time after a record, of those types whose times never fall.

    Parameters
    ----------
    records : ndarray of uint64, shape (n,)
        Records in the order in which the board sent them.
    place : int
        Which of the records; -1 for all of them.
    time : int
        Unwrapped time of the last record with a time before it, in fine steps.

    Returns
    -------
    int or None
        That time, less than half the modulus from `time`; None if no such record follows.
    """
    for begin in range(place + 1, records.size, _SEARCHED):
        part = records[begin : begin + _SEARCHED]
        found = np.flatnonzero(_IS_ORDERED[record_type(part)])
        if found.size:
            raw = record_time(part[found[:1]])
            return int(_unwrap(raw, StreamTime(known=True, time=time))[0])
    return None


def _unwrap(raw: NDArray[np.int64], stream: StreamTime) -> NDArray[np.int64]:
    """Unwrapped times of records with one."""
    previous = stream.time if stream.known else int(raw[0])
    half = TIME_MODULO // 2
    steps = np.diff(raw, prepend=previous % TIME_MODULO)
    steps = (steps + half) % TIME_MODULO - half
    if stream.restarted and stream.known:
        steps[0] %= TIME_MODULO
    unwrapped: NDArray[np.int64] = previous + np.cumsum(steps)
    return unwrapped
