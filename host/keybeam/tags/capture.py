"""Captures: tag records with all that is known about them, in an HDF5 file.

======================  ===========================================================================
object                  content
======================  ===========================================================================
attribute ``format``    ``"keybeam tag capture"``
attribute ``version``   1
attribute ``time_unit`` seconds of a step of the records' times
attribute ``metadata``  `CaptureMetadata` as a JSON object
attribute ``count``     number of records
attribute ``complete``  whether the capture ended because it was told to
attribute ``checksum``  CRC-32 (IEEE 802.3) of ``metadata``, ``count`` and ``complete`` as the text
                        ``f"{metadata}\\n{count}\\n{complete}"`` with ``complete`` 0 or 1
dataset ``records``     64-bit records as the board sent them (`keybeam.protocol.records`)
dataset ``losses``      rows of ``place`` (number of records before the loss), ``records`` (how many
                        the link lost; 0 where nobody knows), ``restarted`` (1 where the board
                        itself started again)
======================  ===========================================================================

The datasets carry HDF5's Fletcher-32 check sums, and the structures of the file those of HDF5
1.10, so that damage to anything that is read is found.
"""

import io
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import h5py
import msgspec
import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.records import FINE_PS
from keybeam.tags.errors import (
    CaptureCorruptError,
    CaptureFormatError,
    CaptureFullError,
    CaptureTruncatedError,
)
from keybeam.tags.sums import fletcher32
from keybeam.timing import DecodedChunk, RecordDecoder
from keybeam.whole_files import part_of

__all__ = [
    "Capture",
    "CaptureMetadata",
    "CapturePacket",
    "CaptureWriter",
    "decode_capture",
    "read_capture",
    "write_capture",
]

_FORMAT, _VERSION = "keybeam tag capture", 1
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK_RECORDS = 1 << 16
_RECORD_BYTES, _SUM_BYTES = 8, 4
_CHUNK_BYTES = _RECORD_BYTES * _CHUNK_RECORDS
_RESERVE_BYTES = 4 << 20
"""Room on the disk that is left free: what HDF5 still has to write when a file is closed."""
_LOSS_DTYPE = np.dtype([("place", "<u8"), ("records", "<u8"), ("restarted", "u1")])
_HDF5 = ("v110", "v110")
_HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)
"""What h5py raises on damaged files, depending on the structure that is damaged."""


class CaptureMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a capture besides its records.

    Attributes
    ----------
    created : str
        Begin of the capture, as ISO 8601 with time zone.
    software : str
        Program and version that wrote it.
    source : str
        Where the records came from: port of a board, or name of an imported file.
    gateware : str
        Git revision of the board's gateware, eight hexadecimal digits; empty where there is none.
    register_map : str
        Hash of the board's register map; empty where there is none.
    registers : dict of str to int
        Readable registers of the board at the begin.
    bin_ps, sync_bin_ps : float
        Width of the bins whose start is the time of a detection and of a sync word, in ps; see
        `keybeam.timing.PulseIndexer`.
    comment : str
        What a user wants to remember.
    """

    created: str = ""
    software: str = ""
    source: str = ""
    gateware: str = ""
    register_map: str = ""
    registers: dict[str, int] = {}
    bin_ps: float = 0.0
    sync_bin_ps: float = 0.0
    comment: str = ""


class CapturePacket(NamedTuple):
    """A stretch of records.

    Attributes
    ----------
    records : ndarray of uint64
        Records in the order of the board.
    lost : int or None
        Records that the link lost before them; None where the board itself started again.
    """

    records: NDArray[np.uint64]
    lost: int | None


class _Sink(io.FileIO):
    """A file that keeps its first error to itself: HDF5 cannot be closed after a failed write."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while self.failure is None and done < len(view):
            try:
                done += super().write(view[done:])
            except OSError as error:
                self.failure = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size) if self.failure is None else 0
        except OSError as error:
            self.failure = error
            return 0


def _checksum(metadata: str, count: int, complete: bool) -> int:
    return zlib.crc32(f"{metadata}\n{count}\n{int(complete)}".encode())


class CaptureWriter:
    """Write a capture; a context manager.

    The file appears under its name, replacing an older one, when the block ends, also where it ends
    because the disk is full (`CaptureFullError`): what was recorded until then is kept, marked as
    incomplete. After any other error nothing is left. Until it is done it is written beside its
    place under the name with ``.part`` added.

    Parameters
    ----------
    path : path-like
        The file to write.
    metadata : CaptureMetadata
        What is known about the records.
    compression : int
        Level of DEFLATE, 0 (fast) to 9 (small).

    Attributes
    ----------
    count : int
        Records so far.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        metadata: CaptureMetadata | None = None,
        *,
        compression: int = 1,
    ) -> None:
        self.path = Path(path)
        self.count = 0
        self._part = part_of(self.path)
        self._metadata = msgspec.json.encode(metadata or CaptureMetadata()).decode()
        self._compression = compression
        self._pending: list[NDArray[np.uint64]] = []
        self._waiting = 0
        self._losses: list[tuple[int, int, int]] = []

    def __enter__(self) -> Self:
        self._sink = _Sink(self._part, "w+b")
        self._file = h5py.File(self._sink, "w", libver=_HDF5)
        options = {"shuffle": True, "compression": self._compression} if self._compression else {}
        self._records = self._file.create_dataset(
            "records",
            (0,),
            "<u8",
            maxshape=(None,),
            chunks=(_CHUNK_RECORDS,),
            fletcher32=True,
            **options,
        )
        return self

    def write(self, records: NDArray[np.uint64], lost: int | None = 0) -> None:
        """Add records.

        Parameters
        ----------
        records : ndarray of uint64, shape (n,)
            Records in the order of the board.
        lost : int or None
            Records that the link lost just before them; None where the board started again.

        Raises
        ------
        CaptureFullError
            If there is no room for them.
        OSError
            If the file cannot be written.
        """
        if lost is None or lost > 0:
            self._losses.append((self.count, lost or 0, lost is None))
        if records.size:
            self._pending.append(records.astype("<u8"))
            self._waiting += records.size
            self.count += records.size
        if self._waiting >= _CHUNK_RECORDS:
            self._flush()

    def _flush(self) -> None:
        block = np.concatenate([np.empty(0, "<u8"), *self._pending])
        self._pending, self._waiting = [], 0
        written = self._records.shape[0]
        if shutil.disk_usage(self._part.parent).free < block.nbytes + _RESERVE_BYTES:
            self.count = written
            self._losses = [loss for loss in self._losses if loss[0] <= written]
            raise CaptureFullError(
                self.path,
                f"the disk is full; the first {written} records are kept: free some space",
            )
        self._records.resize((written + block.size,))
        self._records[written:] = block
        self._check_sink()

    def _check_sink(self) -> None:
        if self._sink.failure is not None:
            raise self._sink.failure

    def _finish(self, complete: bool) -> None:
        losses = np.array(self._losses, _LOSS_DTYPE)
        self._file.create_dataset(
            "losses", data=losses, maxshape=(None,), chunks=(1024,), fletcher32=True
        )
        self._file.attrs["format"], self._file.attrs["version"] = _FORMAT, _VERSION
        self._file.attrs["time_unit"] = FINE_PS * 1e-12
        self._file.attrs["metadata"] = self._metadata
        self._file.attrs["count"], self._file.attrs["complete"] = self.count, complete
        self._file.attrs["checksum"] = _checksum(self._metadata, self.count, complete)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        full = error if isinstance(error, CaptureFullError) else None
        try:
            if error is None:
                try:
                    self._flush()
                except CaptureFullError as late:
                    full = late
            if kept := error is None or full is not None:
                self._finish(complete=full is None)
        except BaseException:
            self._abandon()
            raise
        if not kept:
            self._abandon()
            return
        self._close()
        self._place()
        if full is not None and error is None:
            raise full

    def _close(self) -> None:
        """Close the file; what could not be written stands in `_sink.failure`."""
        self._file.close()
        if self._sink.failure is None:
            os.fsync(self._sink.fileno())
        self._sink.close()

    def _place(self) -> None:
        """Give the closed file its name, if all of it could be written."""
        try:
            self._check_sink()
            self._part.replace(self.path)
        finally:
            self._part.unlink(missing_ok=True)

    def _abandon(self) -> None:
        self._close()
        self._part.unlink(missing_ok=True)


def write_capture(
    path: str | os.PathLike[str],
    packets: Iterable[NDArray[np.uint64]],
    metadata: CaptureMetadata | None = None,
) -> None:
    """Write a capture from arrays of records.

    Parameters
    ----------
    path : path-like
        The file to write.
    packets : iterable of ndarray of uint64
        Records in the order of the board.
    metadata : CaptureMetadata
        What is known about them.
    """
    with CaptureWriter(path, metadata) as writer:
        for records in packets:
            writer.write(records)


class Capture:
    """An open capture; a context manager.

    Parameters
    ----------
    path : path-like
        The file to read.

    Attributes
    ----------
    path : Path
        The file.
    metadata : CaptureMetadata
        What is known about the records.
    count : int
        Number of records.
    complete : bool
        Whether the capture ended because it was told to, not because the disk was full.

    Raises
    ------
    CaptureFormatError, CaptureTruncatedError, CaptureCorruptError
        If it is no sound capture.
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with self.path.open("rb") as file:
            head = file.read(len(_SIGNATURE))
        if head != _SIGNATURE:
            if head and _SIGNATURE.startswith(head):
                raise CaptureTruncatedError(self.path, f"the file ends after {len(head)} bytes")
            raise CaptureFormatError(self.path, "this is not a capture of tags (an HDF5 file)")
        try:
            self._file = h5py.File(self.path, "r")
        except _HDF5_ERRORS as error:
            if "truncated" in str(error):
                raise CaptureTruncatedError(self.path, "the file ends too early") from error
            raise self._corrupt("the structure of the file is damaged") from error
        try:
            self._read_head()
        except BaseException:
            self._file.close()
            raise

    def _corrupt(self, message: str) -> CaptureCorruptError:
        return CaptureCorruptError(self.path, f"{message}; restore it from a copy")

    def _read_head(self) -> None:
        try:
            attributes = dict(self._file.attrs)
        except _HDF5_ERRORS as error:
            raise self._corrupt("the description of the records is damaged") from error
        if attributes.get("format") != _FORMAT:
            raise CaptureFormatError(self.path, "this HDF5 file is not a capture of tags")
        if attributes.get("version") != _VERSION:
            raise CaptureFormatError(
                self.path,
                f"format version {attributes.get('version')}, this program reads {_VERSION}",
            )
        try:
            text = str(attributes["metadata"])
            self.count, self.complete = int(attributes["count"]), bool(attributes["complete"])
            if _checksum(text, self.count, self.complete) != int(attributes["checksum"]):
                raise ValueError("check sum")
            self.metadata = msgspec.json.decode(text, type=CaptureMetadata)
            self._records, self._losses = self._file["records"], self._file["losses"][:]
            if self._records.shape != (self.count,) or self._records.dtype != np.dtype("<u8"):
                raise ValueError("number of records")
            filters = self._records.id.get_create_plist()
            self._as_they_are = (
                self._records.chunks == (_CHUNK_RECORDS,)
                and filters.get_nfilters() == 1
                and filters.get_filter(0)[0] == h5py.h5z.FILTER_FLETCHER32
            )
        except _HDF5_ERRORS as error:
            raise self._corrupt("the description of the records is damaged") from error

    def packets(self, chunks: int = 1) -> Iterator[CapturePacket]:
        """Give the records from first to last, at most 65 536 at once.

        Parameters
        ----------
        chunks : int
            So many times as many at once, at least 1: faster, where the memory does not matter.

        Yields
        ------
        CapturePacket
            A loss stands before the records that follow it, or with none at the end.

        Raises
        ------
        CaptureCorruptError
            If records are damaged; those before have been given.
        """
        done = 0
        for place, lost, restarted in self._losses.tolist():
            if not done <= place <= self.count:
                raise self._corrupt("a loss stands in the wrong place")
            yield from self._between(done, place, chunks)
            yield CapturePacket(np.empty(0, np.uint64), None if restarted else lost)
            done = place
        yield from self._between(done, self.count, chunks)

    def _between(self, start: int, end: int, chunks: int) -> Iterator[CapturePacket]:
        while start < end:
            stop = min(end, (start // _CHUNK_RECORDS + chunks) * _CHUNK_RECORDS)
            try:
                records = self._read(start, stop)
            except _HDF5_ERRORS as error:
                if stop - start > _CHUNK_RECORDS:
                    # What lies before the damage is given, and what is damaged told exactly.
                    yield from self._between(start, stop, 1)
                raise self._corrupt(f"records {start} to {stop - 1} are damaged") from error
            yield CapturePacket(records.astype(np.uint64, copy=False), 0)
            start = stop

    def _read(self, start: int, stop: int) -> NDArray[np.uint64]:
        """Read records; fast where they stand in the file as they are."""
        if not self._as_they_are or start % _CHUNK_RECORDS:
            read: NDArray[np.uint64] = self._records[start:stop]
            return read
        count = -(-(stop - start) // _CHUNK_RECORDS)
        # Behind each chunk stands its check sum, over which the next one is read.
        data = np.empty(count * _CHUNK_BYTES + _SUM_BYTES, np.uint8)
        for place in range(count):
            part = data[place * _CHUNK_BYTES : (place + 1) * _CHUNK_BYTES + _SUM_BYTES]
            offset = start + place * _CHUNK_RECORDS
            mask, _ = self._records.id.read_direct_chunk((offset,), out=part)
            if mask or fletcher32(part[:_CHUNK_BYTES]) != int(part[_CHUNK_BYTES:].view("<u4")[0]):
                # HDF5 knows of more ways to write a chunk, and finds it damaged where it is.
                part[:_CHUNK_BYTES] = 0
                rest = self._records[offset : min(stop, offset + _CHUNK_RECORDS)]
                part[: rest.nbytes] = rest.view(np.uint8)
        return data[: (stop - start) * _RECORD_BYTES].view("<u8")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_capture(path: str | os.PathLike[str]) -> Iterator[CapturePacket]:
    """Read the records of a capture; see `Capture.packets`.

    Parameters
    ----------
    path : path-like
        The file to read.
    """
    with Capture(path) as capture:
        yield from capture.packets()


def decode_capture(
    capture: Capture, decoder: RecordDecoder | None = None
) -> Iterator[DecodedChunk]:
    """Decode a capture.

    Parameters
    ----------
    capture : Capture
        The open capture.
    decoder : RecordDecoder
        What decodes; afterwards it tells of losses. By default one for all channels.

    Yields
    ------
    DecodedChunk
        In the order of time, the end of the stream included.
    """
    decoder = decoder or RecordDecoder(channels=64)
    for packet in capture.packets():
        if packet.lost is None or packet.lost > 0:
            decoder.lose(packet.lost)
        yield decoder.feed(packet.records)
    yield decoder.finish()
