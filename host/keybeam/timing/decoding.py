"""Decoding of tag records: times unwrapped, sync words joined with their headers, gaps explicit."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.records import (
    DETECTOR_CHANNELS,
    FRAME_COUNTER_BITS,
    FRAME_VALID,
    HORIZON_STEPS,
    SYNC_FLYWHEEL,
    Channel,
    RecordType,
    record_body,
    record_channel,
    record_type,
)
from keybeam.timing.joining import joined
from keybeam.timing.splitting import (
    TAG_DTYPE,
    PackedTags,
    StreamTime,
    following_time,
    scan_records,
)

__all__ = ["SYNC_DTYPE", "TAG_DTYPE", "DecodedChunk", "Gap", "RecordDecoder"]

SYNC_DTYPE = np.dtype(
    [
        ("time", "<i8"),
        ("counter", "<u8"),
        ("flags", "u1"),
        ("framed", "?"),
        ("valid", "?"),
        ("flywheel", "?"),
        ("after_gap", "?"),
    ]
)
"""A sync word with the header of its frame: unwrapped time in fine steps; frame counter and mode
flags (zero without FRAME record); whether a FRAME record came; whether the header's check sum held;
whether the time is the flywheel's; whether sync words may have been lost just before."""

_COUNTER_MASK = np.uint64((1 << FRAME_COUNTER_BITS) - 1)
_NO_SYNCS, _NO_TIMES = np.empty(0, SYNC_DTYPE), np.empty(0, np.int64)

# As plain numbers: an enumeration's member is slow to look up, and slow to compare arrays with.
_SYNC, _FRAME, _PPS = int(RecordType.SYNC), int(RecordType.FRAME), int(RecordType.PPS)
_GAP_BEGIN, _GAP_END = int(RecordType.GAP_BEGIN), int(RecordType.GAP_END)


@dataclass(frozen=True)
class Gap:
    """A stretch of time in which records were lost.

    Attributes
    ----------
    channel : int or None
        The `Channel` that lost tags; None where the link to the board lost records of any channel.
    begin, end : int
        Unwrapped times in fine steps: all that the channel lost lies from `begin` to `end`, both
        included. The begin is the time of the first lost tag. The board does not tell that of the
        last one, so the end is the bound that the order of records gives: the next time that
        follows the mark of the end, and `HORIZON_STEPS` (25.6 ns) for what a channel may be behind
        its own marks. With EPOCH records that is at most their period (6.7 ms) too late. Tags of
        the channel that were recorded again may lie before it. Only the end of a stream without
        another time is that of its last record.
    lost : int
        Number of lost tags, or of lost records where `channel` is None; 0 where nobody knows.
    """

    channel: int | None
    begin: int
    end: int
    lost: int


@dataclass(frozen=True)
class DecodedChunk:
    """What `RecordDecoder` made of some records.

    Attributes
    ----------
    packed : tuple of PackedTags
        Detections in the order of the records.
    syncs : ndarray of SYNC_DTYPE
        Sync words whose FRAME record has come, or can no longer come.
    pps : ndarray of int64
        Unwrapped times of pulse-per-second edges in fine steps.
    gaps : tuple of Gap
        Losses that ended within these records.
    lower_bound : int
        No tag, sync word or PPS edge of a later chunk has an earlier time (fine steps).
    """

    packed: tuple[PackedTags, ...]
    syncs: NDArray[np.void]
    pps: NDArray[np.int64]
    gaps: tuple[Gap, ...]
    lower_bound: int

    @cached_property
    def tags(self) -> NDArray[np.void]:
        """Detections as an array of TAG_DTYPE, which is made when it is asked for first."""
        return joined([part.unpacked() for part in self.packed], TAG_DTYPE)

    @property
    def detections(self) -> int:
        """Number of detections."""
        return sum(part.size for part in self.packed)


class RecordDecoder:
    """Decode a stream of records, in chunks of any size.

    The chunks' borders do not change what comes out. Memory is bounded by one chunk: all that is
    kept between chunks is the time, at most one sync word, and the open gaps. Consecutive times
    must be less than half the time modulus (3518 s) apart. The periodic EPOCH grants that, but for
    a link that is held up: records that wait are sent later with their own times, but EPOCH records
    that would have come meanwhile are left out. So a link may stand for 3518 s before a time could
    be taken for one 7037 s earlier; a recording ends after 30 s without a record.

    Parameters
    ----------
    channels : int
        Detections of channels below this number are given, 1 to 64: by default those of the four
        detectors, from which key is made.

    Attributes
    ----------
    stray : int
        Records so far that belong to nothing: FRAME without SYNC, GAP_END without GAP_BEGIN.
    lost : int
        Records and tags known to be lost so far.
    """

    def __init__(self, channels: int = len(DETECTOR_CHANNELS)) -> None:
        self.stray = 0
        self.lost = 0
        self._channels = channels
        self._stream = StreamTime()
        self._sync = _NO_SYNCS
        self._after_gap = False
        self._open: dict[int, int] = {}
        self._ended: list[tuple[int, int, int]] = []
        self._link_loss: tuple[int, int] | None = None

    def lose(self, records: int | None) -> None:
        """Note that the link lost records before the next ones that are fed.

        Parameters
        ----------
        records : int or None
            How many, at least 1. None where nobody knows because the board started again: its
            time then begins anew, and is taken to be later than all before, and gaps that were open
            end.
        """
        if records is None:
            self._stream = replace(self._stream, restarted=True)
        elif records < 1:
            raise ValueError(f"{records} lost records are no loss")
        begin, before = self._link_loss or (self._stream.time, 0)
        self._link_loss = (begin, before + (records or 0))
        self.lost += records or 0

    def feed(self, records: NDArray[np.uint64]) -> DecodedChunk:
        """Decode the next records of the stream.

        Parameters
        ----------
        records : ndarray of uint64, shape (n,)
            Records in the order in which the board sent them. The detections stay in this array,
            which must not change any more.
        """
        before = self._stream
        packed, places, times, first_time, self._stream = scan_records(
            records, self._channels, self._stream
        )
        if places.size == 0 and self._link_loss is None and not self._ended:
            return DecodedChunk(packed, _NO_SYNCS, _NO_TIMES, (), self._lower_bound())
        others = records[places]
        types, channels = record_type(others), record_channel(others)
        held = self._sync
        # A board that started again knows nothing of what it had begun to lose before.
        cut = self._end_gaps(first_time) if before.restarted and records.size else []
        if self._ended and (later := following_time(records, -1, before.time)) is not None:
            cut += self._bound_gaps(later)
        gaps, breaks = self._gaps(types, channels, records, places, times)
        gaps = cut + gaps
        if self._link_loss is not None and records.size:
            begin, lost = self._link_loss
            gaps.insert(0, Gap(None, begin, first_time, lost))
            breaks.insert(0, 0)
            self._link_loss = None
        syncs = self._join(types, channels, others, times, breaks, held)
        pps = times[types == _PPS]
        return DecodedChunk(packed, syncs, pps, tuple(gaps), self._lower_bound())

    def finish(self) -> DecodedChunk:
        """Give what is still held: a sync word that waits for its FRAME, gaps that are open."""
        now = self._stream.time
        gaps = self._end_gaps(now)
        if self._link_loss is not None:
            gaps.append(Gap(None, self._link_loss[0], now, self._link_loss[1]))
        syncs, self._sync = self._sync, _NO_SYNCS
        self._link_loss = None
        return DecodedChunk((), syncs, np.empty(0, np.int64), tuple(gaps), self._stream.ordered)

    def _end_gaps(self, time: int) -> list[Gap]:
        """Let the open gaps end at a time: with losses that nobody knows, or as they were told."""
        gaps = [Gap(channel, begin, time, 0) for channel, begin in self._open.items()]
        gaps += [Gap(channel, begin, time, lost) for channel, begin, lost in self._ended]
        self._open, self._ended = {}, []
        return gaps

    def _bound_gaps(self, later: int) -> list[Gap]:
        """Give the gaps whose end was told, now that a time followed it."""
        end = later + HORIZON_STEPS
        gaps = [Gap(channel, begin, end, lost) for channel, begin, lost in self._ended]
        self._ended = []
        return gaps

    def _lower_bound(self) -> int:
        """Time before which no tag, sync word or PPS edge can come any more."""
        return int(self._sync["time"][0]) if self._sync.size else self._stream.ordered

    def _gaps(
        self,
        types: NDArray[np.uint8],
        channels: NDArray[np.uint8],
        records: NDArray[np.uint64],
        places: NDArray[np.int64],
        times: NDArray[np.int64],
    ) -> tuple[list[Gap], list[int]]:
        """Gaps of channels that end here, and the places from which sync words follow a gap.

        Types, channels and times are those of the records at `places`.
        """
        gaps: list[Gap] = []
        breaks: list[int] = []
        marks = (types == _GAP_BEGIN) | (types == _GAP_END)
        for place in np.flatnonzero(marks).tolist():
            channel = int(channels[place])
            if types[place] == _GAP_BEGIN:
                self._open.setdefault(channel, int(times[place]))
            elif channel in self._open:
                at = int(places[place])
                lost = int(record_body(records[at : at + 1])[0])
                self.lost += lost
                self._ended.append((channel, self._open.pop(channel), lost))
                if (later := following_time(records, at, int(times[place]))) is not None:
                    gaps += self._bound_gaps(later)
            else:
                self.stray += 1
            if channel == Channel.SYNC:
                breaks.append(place)
        return gaps, breaks

    def _join(
        self,
        types: NDArray[np.uint8],
        channels: NDArray[np.uint8],
        records: NDArray[np.uint64],
        times: NDArray[np.int64],
        breaks: list[int],
        held: NDArray[np.void],
    ) -> NDArray[np.void]:
        """Sync words joined with their FRAME records; the last one is held until it is sure."""
        places = np.flatnonzero((types == _SYNC) | (types == _FRAME))
        is_sync, place = types[places] == _SYNC, places
        if held.size:
            is_sync, place = np.concatenate([[True], is_sync]), np.concatenate([[-1], places])
        sync_at = np.flatnonzero(is_sync)
        source = places[sync_at[held.size :] - held.size]
        syncs = np.zeros(sync_at.size, SYNC_DTYPE)
        new = syncs[held.size :]
        new["time"] = times[source]
        new["flywheel"] = channels[source] & SYNC_FLYWHEEL
        syncs[: held.size] = held

        # The records between two breaks belong together: a FRAME names the SYNC directly before.
        joined = is_sync[:-1] & ~is_sync[1:]
        stretch = np.searchsorted(np.array(sorted(breaks), np.int64), place, side="right")
        if breaks:
            joined &= stretch[:-1] == stretch[1:]
        follows = np.flatnonzero(joined)
        owner = np.cumsum(is_sync)[follows] - 1
        frame_at = place[follows + 1]
        body = record_body(records[frame_at])
        syncs["counter"][owner] = body & _COUNTER_MASK
        syncs["flags"][owner] = body >> np.uint64(FRAME_COUNTER_BITS)
        syncs["framed"][owner] = True
        syncs["valid"][owner] = channels[frame_at] & FRAME_VALID
        self.stray += is_sync.size - sync_at.size - follows.size

        if breaks or self._after_gap:
            self._mark_after_gap(new, stretch[sync_at[held.size :]], len(breaks))
        waits = syncs.size and not syncs["framed"][-1] and stretch[sync_at[-1]] == len(breaks)
        self._sync = syncs[-1:].copy() if waits else _NO_SYNCS
        return syncs[:-1] if waits else syncs

    def _mark_after_gap(
        self, new: NDArray[np.void], stretch: NDArray[np.int64], breaks: int
    ) -> None:
        """Set `after_gap` on the first sync word of this chunk after each break."""
        if new.size == 0:
            self._after_gap = True
            return
        # The held sync word, where there is one, lies before all breaks of this chunk.
        new["after_gap"] = np.diff(stretch, prepend=0) != 0
        new["after_gap"][0] |= self._after_gap
        self._after_gap = bool(stretch[-1] != breaks)
