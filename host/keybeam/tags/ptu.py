"""Captures to and from PicoQuant's .ptu files.

ptufile reads them. It writes histograms of images only, so T2 records are written here, as
PicoQuant's description of the "unified TTTR file format" gives them: a header of tagged values,
then records of a special bit, channel (6 bits) and time (25 bits); special records of channel 63
count overflows of the time, those of channels 1 to 15 are markers.

Detections of channel c are those of input c + 1. Marker 8 is a sync word, marker 1 a PPS edge, 2
and 4 are begin and end of a stretch in which records were lost. Frame counters have no place in
such a file: what was imported cannot be given pulse indices.
"""

import struct
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from keybeam.errors import KeybeamError
from keybeam.protocol.records import FINE_PS, TIME_MODULO, Channel, RecordType, pack_records
from keybeam.tags.capture import Capture, CaptureMetadata, CaptureWriter, decode_capture
from keybeam.tags.errors import AnalysisError, CaptureCorruptError, CaptureFormatError
from keybeam.tags.recording import software_name
from keybeam.timing import DecodedChunk, Gap
from keybeam.whole_files import whole_file

__all__ = ["export_ptu", "import_ptu"]

_PPS, _GAP_BEGIN, _GAP_END, _SYNC = 1, 2, 4, 8
_TIME_BITS, _CHANNEL_BITS = 25, 6
_OVERFLOW_CHANNEL = (1 << _CHANNEL_BITS) - 1
_TIME_MASK = (1 << _TIME_BITS) - 1
_MOST_OVERFLOWS = 127
"""Overflows that a record counts. The format allows 2^25 - 1, but ptufile (to 2026.2.6) takes the
count of T2 records modulo 128."""
_GENERIC_T2 = 0x00010207
"""Record type of MultiHarp and PicoHarp 330 in T2 mode, of which any time unit is allowed."""
_LONG_OVERFLOWS = (0x01010204, 0x00010205, 0x00010206, _GENERIC_T2)
"""Types of T2 records that count overflows: HydraHarp 2, TimeHarp 260 N and P, and the former."""
_INTEGER, _FLOAT, _TEXT, _TIME, _END = 0x10000008, 0x20000008, 0x4001FFFF, 0x21000008, 0xFFFF0008
_EVENT = np.dtype([("time", "<i8"), ("special", "?"), ("channel", "u1")])
_IMPORT_CHUNK = 1 << 20
_GAP_CHANNELS = len(Channel)


def export_ptu(source: Path, target: Path) -> int:
    """Write a capture as a T2 file.

    Parameters
    ----------
    source : Path
        The capture.
    target : Path
        The .ptu file; it appears when it is whole.

    Returns
    -------
    int
        Events written.

    Raises
    ------
    CaptureError
        If the capture is not sound.
    AnalysisError
        If it has no detections.
    OSError
        If the file cannot be written.
    """
    with whole_file(target) as part, Capture(source) as capture, part.open("wb") as file:
        return _write_events(file, capture)


def _write_events(file: BinaryIO, capture: Capture) -> int:
    gaps = [gap for chunk in decode_capture(capture) for gap in chunk.gaps]
    overflows = count = records = 0
    origin: int | None = None
    file.write(_header(capture.metadata, 0))
    for events in _ordered_events(decode_capture(capture), gaps):
        if events.size == 0:
            continue
        if origin is None:
            origin = int(events["time"][0])
        words, overflows = _encode(events, origin, overflows)
        file.write(words.tobytes())
        count, records = count + events.size, records + words.size
    if origin is None:
        raise AnalysisError(f"{capture.path}: there is nothing to export")
    file.seek(0)
    file.write(_header(capture.metadata, records))
    return count


def _ordered_events(chunks: Iterator[DecodedChunk], gaps: list[Gap]) -> Iterator[NDArray[np.void]]:
    """Events of a stream in the order of time."""
    begins = _events(np.array([gap.begin for gap in gaps], np.int64), True, _GAP_BEGIN)
    ends = _events(np.array([gap.end for gap in gaps], np.int64), True, _GAP_END)
    waiting = np.concatenate([begins, ends])
    bound = 0
    for chunk in chunks:
        photons = _events(chunk.tags["time"], False, chunk.tags["channel"])
        seen = chunk.syncs["time"][~chunk.syncs["flywheel"]]
        new = (photons, _events(seen, True, _SYNC), _events(chunk.pps, True, _PPS))
        waiting = np.concatenate([waiting, *new])
        waiting = waiting[np.argsort(waiting["time"], kind="stable")]
        bound = chunk.lower_bound
        ready = int(np.searchsorted(waiting["time"], bound))
        yield waiting[:ready]
        waiting = waiting[ready:]
    yield waiting


def _events(
    times: NDArray[np.int64], special: bool, channels: NDArray[np.uint8] | int
) -> NDArray[np.void]:
    events = np.empty(times.size, _EVENT)
    events["time"], events["special"], events["channel"] = times, special, channels
    return events


def _encode(
    events: NDArray[np.void], origin: int, overflows: int
) -> tuple[NDArray[np.uint32], int]:
    """Give the records of events, and the overflows of the time up to the last of them."""
    times = events["time"] - origin
    turns = times >> _TIME_BITS
    steps = np.diff(turns, prepend=overflows)
    extra = -(-steps // _MOST_OVERFLOWS)
    places = np.cumsum(extra + 1) - 1
    words = np.full(int(places[-1]) + 1, _record(True, _OVERFLOW_CHANNEL, _MOST_OVERFLOWS))
    turned = extra > 0
    left = steps[turned] - (extra[turned] - 1) * _MOST_OVERFLOWS
    words[places[turned] - 1] = _record(True, _OVERFLOW_CHANNEL, left)
    words[places] = _record(events["special"], events["channel"], times & _TIME_MASK)
    return words.astype("<u4"), int(turns[-1])


def _record(
    special: NDArray[np.bool] | bool,
    channel: NDArray[np.uint8] | int,
    low: NDArray[np.int64] | int,
) -> NDArray[np.int64]:
    head = np.asarray(special, np.int64) << _CHANNEL_BITS | np.asarray(channel, np.int64)
    return np.asarray(head << _TIME_BITS | low)


def _header(metadata: CaptureMetadata, records: int) -> bytes:
    """Header of a T2 file; its length does not depend on the number of records."""
    created = datetime.fromisoformat(metadata.created) if metadata.created else datetime.now(UTC)
    days = (created.replace(tzinfo=None) - datetime(1899, 12, 30)).total_seconds() / 86_400
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{metadata.source} {metadata.created}"))
    fields: list[tuple[str, int | float | str, int]] = [
        ("File_GUID", f"{{{name}}}", _TEXT),
        ("File_CreatingTime", days, _TIME),
        ("File_Comment", metadata.comment, _TEXT),
        ("CreatorSW_Name", "keybeam", _TEXT),
        ("CreatorSW_Version", software_name(), _TEXT),
        ("Measurement_Mode", 2, _INTEGER),
        ("Measurement_SubMode", 1, _INTEGER),
        ("TTResultFormat_TTTRRecType", _GENERIC_T2, _INTEGER),
        ("TTResultFormat_BitsPerRecord", 32, _INTEGER),
        ("MeasDesc_GlobalResolution", FINE_PS * 1e-12, _FLOAT),
        ("MeasDesc_Resolution", FINE_PS * 1e-12, _FLOAT),
        ("TTResult_NumberOfRecords", records, _INTEGER),
        ("Header_End", 0, _END),
    ]
    return b"PQTTTR\0\x001.0.00\0\0" + b"".join(_field(*field) for field in fields)


def _field(name: str, value: int | float | str, kind: int) -> bytes:
    head = struct.pack("<32siI", name.encode(), -1, kind)
    if isinstance(value, str):
        text = value.encode("windows-1252", "replace") + b"\0"
        text += b"\0" * (-len(text) % 8)
        return head + struct.pack("<q", len(text)) + text
    return head + struct.pack("<d" if isinstance(value, float) else "<q", value)


def import_ptu(source: Path, target: Path) -> int:
    """Write a .ptu file's detections as a capture.

    T2 and T3 records of any of PicoQuant's devices are read. Times are rounded down to fine steps
    of 0.390625 ps. Markers of files that were exported here become what they were, those of others
    cannot be known and are left out; so are a T2 device's sync events, which the reader
    cannot tell from detections of input 1: they are detections of channel 0.

    Parameters
    ----------
    source : Path
        The .ptu file.
    target : Path
        The capture.

    Returns
    -------
    int
        Records written.

    Raises
    ------
    CaptureFormatError, CaptureCorruptError
        If it is no .ptu file of single events, or ends too early.
    OSError
        If a file cannot be read or written.
    """
    try:
        import ptufile
    except ModuleNotFoundError as error:
        raise KeybeamError(
            "reading .ptu files needs ptufile: pip install 'keybeam[lab]'"
        ) from error
    with source.open("rb"):
        pass  # a missing file is told as such
    try:
        with ptufile.PtuFile(source) as file:
            _check_overflows(np.asarray(file.read_records()), file.record_type, source)
            events = np.asarray(file.decode_records(out="memmap"))
            tags, expected = dict(file.tags), file.number_records
            period, is_t3 = file.global_resolution, file.is_t3
            bin_width = file.tcspc_resolution if is_t3 else 0.0
    except (ptufile.PqFileError, ValueError, OSError, struct.error) as error:
        raise CaptureFormatError(source, "this is no sound .ptu file of single events") from error
    if events.size != expected:
        raise CaptureCorruptError(
            source, f"the file ends after {events.size} of {expected} records"
        )
    metadata = CaptureMetadata(
        created=str(tags.get("File_CreatingTime", "")),
        software=software_name(),
        source=source.name,
        comment=str(tags.get("File_Comment", "") or ""),
    )
    ours = tags.get("CreatorSW_Name") == "keybeam"
    with CaptureWriter(target, metadata) as writer:
        for start in range(0, events.size, _IMPORT_CHUNK):
            part = events[start : start + _IMPORT_CHUNK]
            times = _scale(part["time"].astype(np.int64), period)
            if is_t3:
                times += _scale(part["dtime"].astype(np.int64).clip(0), bin_width)
            writer.write(_records(part, times, ours, source))
    return writer.count


def _check_overflows(records: NDArray[np.uint32], kind: int, source: Path) -> None:
    """Refuse silences that the reader would make shorter; see `_MOST_OVERFLOWS`."""
    if kind not in _LONG_OVERFLOWS:
        return
    overflow = records >> np.uint32(_TIME_BITS) == _record(True, _OVERFLOW_CHANNEL, 0) >> _TIME_BITS
    if (records[overflow] & np.uint32(_TIME_MASK) > _MOST_OVERFLOWS).any():
        raise CaptureFormatError(
            source,
            f"it has records of more than {_MOST_OVERFLOWS} overflows, which ptufile misreads",
        )


def _scale(times: NDArray[np.int64], unit_s: float) -> NDArray[np.int64]:
    """Turn times in units of `unit_s` into fine steps, without the rounding of floating point."""
    ratio = Fraction(unit_s / (FINE_PS * 1e-12)).limit_denominator(1 << 20)
    whole, rest = np.divmod(times, ratio.denominator)
    scaled: NDArray[np.int64] = (
        whole * ratio.numerator + rest * ratio.numerator // ratio.denominator
    )
    return scaled


def _records(
    events: NDArray[np.void], times: NDArray[np.int64], ours: bool, source: Path
) -> NDArray[np.uint64]:
    """Make records of the events that are something to us."""
    if times.size and np.abs(np.diff(times)).max(initial=0) >= TIME_MODULO // 2:
        raise CaptureFormatError(source, "an hour passes between two events: too long for records")
    photons = events["channel"] >= 0
    markers = events["marker"] if ours else np.zeros(events.size, np.uint8)
    sync, pps, end = markers == _SYNC, markers == _PPS, markers == _GAP_END
    begin = markers == _GAP_BEGIN
    kinds = np.select(
        [photons, sync, pps, begin, end],
        [RecordType.TAG, RecordType.SYNC, RecordType.PPS, RecordType.GAP_BEGIN, RecordType.GAP_END],
    )
    # A gap is that of every channel: begin and end come once for each, the end behind an EPOCH.
    many = np.where(begin, _GAP_CHANNELS, np.where(end, 1 + _GAP_CHANNELS, kinds > 0))
    place = np.repeat(np.arange(events.size), many)
    number = np.arange(place.size) - np.repeat(np.cumsum(many) - many, many)
    channels = np.where(photons[place], events["channel"][place], number - end[place])
    bodies, kinds = times[place], kinds[place]
    kinds[end[place] & (number == 0)] = RecordType.EPOCH
    bodies[kinds == RecordType.GAP_END] = 0
    channels[kinds == RecordType.EPOCH] = 0
    return pack_records(kinds, channels, bodies)
