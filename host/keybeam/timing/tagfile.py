"""Capture files of tag records.

All numbers are little-endian. A file is a header, packets, and a closing packet without records:

======  ============================================================================
bytes   header
======  ============================================================================
0-7     magic ``b"KEYBTAGS"``
8-11    version, 1
12-15   CRC-32 of bytes 0 to 11
======  ============================================================================

======  ============================================================================
bytes   packet
======  ============================================================================
0-3     sequence number, from 0, one more each packet
4-7     records lost by the link between the packet before and this one
8-11    number of records n; 0 closes the file
12-     n records of 8 bytes (`keybeam.protocol.records`)
then    CRC-32 of the packet before it
======  ============================================================================

CRC-32 is that of IEEE 802.3 (`zlib.crc32`).
"""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from keybeam.errors import KeybeamError
from keybeam.protocol.records import RECORD_BYTES

__all__ = [
    "TagFileCorruptError",
    "TagFileError",
    "TagFileFormatError",
    "TagFileTruncatedError",
    "TagFileWriter",
    "TagPacket",
    "read_tag_file",
    "write_tag_file",
]

_MAGIC = b"KEYBTAGS"
_VERSION = 1
_HEADER = struct.Struct("<8sI")
_PACKET = struct.Struct("<III")
_CRC = struct.Struct("<I")
_PACKET_RECORDS = 65_536
"""Records of a packet at most: bounds the reader's memory whatever the file says."""


class TagFileError(KeybeamError):
    """A tag file that cannot be read.

    Attributes
    ----------
    path : Path
        The file.
    offset : int
        Byte at which the damage shows.
    """

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        super().__init__(f"tag file {path}, byte {offset}: {reason}")
        self.path = path
        self.offset = offset


class TagFileFormatError(TagFileError):
    """The file is no tag file, or one of another version."""


class TagFileTruncatedError(TagFileError):
    """The file ends too early."""


class TagFileCorruptError(TagFileError):
    """A check sum or a sequence number is wrong, or something follows the end."""


class TagPacket(NamedTuple):
    """Content of a packet.

    Attributes
    ----------
    records : ndarray of uint64
        Records in the order of the board.
    lost : int
        Records that the link lost before them.
    """

    records: NDArray[np.uint64]
    lost: int


class TagFileWriter:
    """Write a tag file; a context manager.

    The file appears under its name, replacing an older one, only when the block ends without an
    error; until then it is written beside it under the name with ``.part`` added, which an error
    removes.

    Parameters
    ----------
    path : path-like
        The file to write.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(self.path.name + ".part")
        self._file: BinaryIO | None = None
        self._sequence = 0
        self._lost = 0

    def __enter__(self) -> Self:
        self._file = self._part.open("wb")
        head = _HEADER.pack(_MAGIC, _VERSION)
        self._file.write(head + _CRC.pack(zlib.crc32(head)))
        return self

    def write(self, records: NDArray[np.uint64], lost: int = 0) -> None:
        """Add records.

        Parameters
        ----------
        records : ndarray of uint64, shape (n,)
            Records in the order of the board.
        lost : int
            Records that the link lost just before them.
        """
        self._lost += lost
        for start in range(0, records.size, _PACKET_RECORDS):
            self._packet(records[start : start + _PACKET_RECORDS])

    def _packet(self, records: NDArray[np.uint64]) -> None:
        assert self._file is not None, "the writer is used outside of its with block"
        packet = _PACKET.pack(self._sequence, min(self._lost, 0xFFFFFFFF), records.size)
        self._lost = 0
        packet += records.astype("<u8", copy=False).tobytes()
        self._file.write(packet + _CRC.pack(zlib.crc32(packet)))
        self._sequence = (self._sequence + 1) % (1 << 32)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        try:
            with self._file:
                if kind is None:
                    self._packet(np.empty(0, np.uint64))
                    self._file.flush()
                    os.fsync(self._file.fileno())
            if kind is None:
                self._part.replace(self.path)
        finally:
            self._part.unlink(missing_ok=True)


def write_tag_file(path: str | os.PathLike[str], packets: Iterable[NDArray[np.uint64]]) -> None:
    """Write a tag file from arrays of records; an error leaves no file behind.

    Parameters
    ----------
    path : path-like
        The file to write.
    packets : iterable of ndarray of uint64
        Records in the order of the board.
    """
    with TagFileWriter(path) as writer:
        for records in packets:
            writer.write(records)


def read_tag_file(path: str | os.PathLike[str]) -> Iterator[TagPacket]:
    """Read a tag file packet by packet, every one checked before it is given.

    Parameters
    ----------
    path : path-like
        The file to read.

    Yields
    ------
    TagPacket
        At most 65 536 records each.

    Raises
    ------
    TagFileFormatError, TagFileTruncatedError, TagFileCorruptError
        Naming the file and the byte; packets before that byte have been given.
    """
    source = Path(path)
    with source.open("rb") as file:
        _read_header(file, source)
        sequence = 0
        while True:
            packet = _read_packet(file, source, sequence)
            if packet.records.size or packet.lost:
                yield packet
            if packet.records.size == 0:
                break
            sequence = (sequence + 1) % (1 << 32)
        end = file.tell()
        if file.read(1):
            raise TagFileCorruptError(source, end, "bytes follow the closing packet")


def _read(file: BinaryIO, path: Path, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise TagFileTruncatedError(
            path, file.tell(), f"the file ends {size - len(data)} bytes too early"
        )
    return data


def _read_header(file: BinaryIO, path: Path) -> None:
    head = file.read(_HEADER.size + _CRC.size)
    if head[: len(_MAGIC)] != _MAGIC[: len(head)] or not head:
        raise TagFileFormatError(path, 0, "this is not a keybeam tag file")
    if len(head) < _HEADER.size + _CRC.size:
        raise TagFileTruncatedError(path, len(head), "the file ends within its header")
    if zlib.crc32(head[: _HEADER.size]) != _CRC.unpack(head[_HEADER.size :])[0]:
        raise TagFileCorruptError(path, _HEADER.size, "check sum of the header")
    version = _HEADER.unpack(head[: _HEADER.size])[1]
    if version != _VERSION:
        raise TagFileFormatError(
            path, len(_MAGIC), f"format version {version}, this program reads version {_VERSION}"
        )


def _read_packet(file: BinaryIO, path: Path, sequence: int) -> TagPacket:
    start = file.tell()
    head = _read(file, path, _PACKET.size)
    found, lost, count = _PACKET.unpack(head)
    if count > _PACKET_RECORDS:
        raise TagFileCorruptError(path, start + 8, f"a packet of {count} records")
    body = _read(file, path, count * RECORD_BYTES)
    (crc,) = _CRC.unpack(_read(file, path, _CRC.size))
    if zlib.crc32(body, zlib.crc32(head)) != crc:
        raise TagFileCorruptError(path, start, "check sum of the packet")
    if found != sequence:
        raise TagFileCorruptError(path, start, f"packet {found} stands in place of {sequence}")
    return TagPacket(np.frombuffer(body, "<u8").astype(np.uint64, copy=False), lost)
