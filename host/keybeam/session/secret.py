"""The pre-shared secret: a file of one-time keys that are never used twice.

Both ends hold a copy of one file. Its first half authenticates what the
satellite sends, its second half what the ground station sends, so the two
directions never meet. How far each half is used up is noted in the file itself,
durably, *before* a key leaves this module, and the bytes of the key are
overwritten in the file: not even a crash brings one back.

=================  ==============================================================
bytes              content (numbers little-endian)
=================  ==============================================================
0 to 7             ``KBSECRET``
8 to 11            version of the format, 1
12 to 27           public random name of the secret
28 to 35           bytes of the secret, a multiple of 64
36 to 39           CRC-32 of bytes 0 to 35
512, 1024          two notes, written in turn; the good one with the higher
                   number holds: number (8), bytes used of the first and of the
                   second half (8 each), CRC-32 of these (4)
1536 and on        the secret
=================  ==============================================================
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from keybeam.errors import KeybeamError
from keybeam.session.authentication import ONE_TIME_KEY_BYTES

__all__ = [
    "MESSAGES_PER_BLOCK",
    "Direction",
    "PresharedSecret",
    "SecretError",
    "create_secret_pair",
]

MESSAGES_PER_BLOCK = 2
"""Signed messages of the busier direction in a block: instruction and settlement."""

_MAGIC = b"KBSECRET"
_VERSION = 1
_HEADER = struct.Struct("<8sI16sQ")
_NOTE = struct.Struct("<QQQ")
_CHECK = struct.Struct("<I")
_NOTE_PLACES = (512, 1024)
_DATA_PLACE = 1536


class SecretError(KeybeamError):
    """A pre-shared secret that is missing, damaged, in use or used up."""


class Direction(IntEnum):
    """Which half of the secret."""

    FROM_SATELLITE = 0
    FROM_GROUND = 1


def _checked(data: bytes) -> bytes:
    return data + _CHECK.pack(zlib.crc32(data))


def create_secret_pair(
    satellite: Path,
    ground: Path,
    tags: int,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> None:
    """Write the two copies of a new secret, readable by their owner only.

    Parameters
    ----------
    satellite, ground : Path
        Files to be made; none may exist.
    tags : int
        Messages that each direction can authenticate.
    random_bytes : callable, optional
        Source of the secret, the operating system's by default.

    Raises
    ------
    SecretError
        If a file exists already.
    OSError
        If a file cannot be written.
    """
    half = tags * ONE_TIME_KEY_BYTES
    header = _checked(_HEADER.pack(_MAGIC, _VERSION, random_bytes(16), 2 * half))
    content = bytearray(_DATA_PLACE + 2 * half)
    content[: len(header)] = header
    note = _checked(_NOTE.pack(0, 0, 0))
    content[_NOTE_PLACES[0] : _NOTE_PLACES[0] + len(note)] = note
    content[_DATA_PLACE:] = random_bytes(2 * half)
    written: list[Path] = []
    try:
        for path in (satellite, ground):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            written.append(path)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
    except FileExistsError as error:
        _remove(written)
        raise SecretError(
            f"{error.filename}: there is a file already; a secret is never overwritten"
        ) from error
    except OSError:
        _remove(written)
        raise


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()


class PresharedSecret:
    """One end's copy of a pre-shared secret. The file is locked while it is open.

    Parameters
    ----------
    path : Path
        The file.
    sends : Direction
        The half with which this end signs; the other half verifies.

    Attributes
    ----------
    sends : Direction
        The half with which this end signs.
    name : bytes
        Public name of the secret, 16 bytes, equal in both copies.
    used_bytes : int
        Bytes of both halves that were used up, skipped ones included, since it was opened.

    Raises
    ------
    SecretError
        If the file is missing, is none, is damaged, or is in use.
    """

    def __init__(self, path: Path, sends: Direction) -> None:
        self._path = path
        self.sends = sends
        self.used_bytes = 0
        try:
            self._file = os.open(path, os.O_RDWR)
        except OSError as error:
            raise SecretError(f"pre-shared secret {path}: {error.strerror}") from error
        try:
            self._lock()
            self.name, self._half = self._read_header()
            self._number, self._used = self._read_notes()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        """Return the open secret."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file and give up its lock."""
        os.close(self._file)

    @property
    def remaining(self) -> int:
        """Messages that this end can still sign."""
        return (self._half - self._used[self.sends]) // ONE_TIME_KEY_BYTES

    def require(self, messages: int) -> None:
        """Make sure that some messages can still be signed.

        Raises
        ------
        SecretError
            If the secret is used up.
        """
        if self.remaining < messages:
            raise SecretError(
                f"pre-shared secret {self._path}: used up; share a new one with the other end"
            )

    def draw(self) -> tuple[int, bytes]:
        """Use up the next key of the half with which this end signs.

        Returns
        -------
        offset : int
            Place of the key in its half, for the receiver.
        key : bytes
            32 bytes that were never returned before.

        Raises
        ------
        SecretError
            If the secret is used up, or the note cannot be written.
        """
        self.require(1)
        offset = self._used[self.sends]
        key = self._read(self.sends, offset)
        self._use_up(self.sends, offset + ONE_TIME_KEY_BYTES)
        return offset, key

    def expected(self, offset: int) -> bytes | None:
        """Key with which a received message claims to be signed.

        Parameters
        ----------
        offset : int
            Place in the half of the other end.

        Returns
        -------
        bytes or None
            32 bytes; None where that place was used up before, or there is no such place.
        """
        half = Direction(1 - self.sends)
        if offset < self._used[half] or offset + ONE_TIME_KEY_BYTES > self._half:
            return None
        return self._read(half, offset)

    def accept(self, offset: int) -> None:
        """Use up the key at `offset` of the other end's half, and all before it.

        To be called once a message under this key has proved genuine.
        """
        self._use_up(Direction(1 - self.sends), offset + ONE_TIME_KEY_BYTES)

    def _place(self, half: Direction, offset: int) -> int:
        return _DATA_PLACE + half * self._half + offset

    def _read(self, half: Direction, offset: int) -> bytes:
        key = os.pread(self._file, ONE_TIME_KEY_BYTES, self._place(half, offset))
        if key == bytes(ONE_TIME_KEY_BYTES):
            # Only a lost note could lead here: the key was overwritten when it was used.
            raise SecretError(
                f"pre-shared secret {self._path}: the note of what is used up is damaged; "
                "share a new one"
            )
        return key

    def _use_up(self, half: Direction, end: int) -> None:
        begin = self._used[half]
        used = (end, self._used[1]) if half == 0 else (self._used[0], end)
        number = self._number + 1
        note = _checked(_NOTE.pack(number, *used))
        try:
            os.pwrite(self._file, note, _NOTE_PLACES[number % 2])
            os.fsync(self._file)
            os.pwrite(self._file, bytes(end - begin), self._place(half, begin))
            os.fsync(self._file)
        except OSError as error:
            raise SecretError(
                f"pre-shared secret {self._path}: cannot note what is used up: {error.strerror}"
            ) from error
        self._number, self._used = number, used
        self.used_bytes += end - begin

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SecretError(
                f"pre-shared secret {self._path}: in use by another process"
            ) from error

    def _read_header(self) -> tuple[bytes, int]:
        plain = os.pread(self._file, _HEADER.size + _CHECK.size, 0)
        if len(plain) < _HEADER.size + _CHECK.size or not plain.startswith(_MAGIC):
            raise SecretError(f"pre-shared secret {self._path}: not a file of Keybeam's secrets")
        _, version, name, size = _HEADER.unpack_from(plain)
        complete = os.fstat(self._file).st_size == _DATA_PLACE + size
        if plain != _checked(plain[: _HEADER.size]) or version != _VERSION or not complete:
            raise SecretError(
                f"pre-shared secret {self._path}: damaged or cut short; share a new one"
            )
        return name, size // 2

    def _read_notes(self) -> tuple[int, tuple[int, int]]:
        notes = []
        for place in _NOTE_PLACES:
            plain = os.pread(self._file, _NOTE.size + _CHECK.size, place)
            if plain == _checked(plain[: _NOTE.size]):
                notes.append(_NOTE.unpack_from(plain))
        if not notes:
            raise SecretError(
                f"pre-shared secret {self._path}: the note of what is used up is damaged; "
                "share a new one"
            )
        number, first, second = max(notes)
        return number, (first, second)
