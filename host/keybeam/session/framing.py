"""Frames of messages on a byte stream.

======  =====================================================
bytes   content (numbers little-endian)
======  =====================================================
0-3     marker ``KBM`` and the version of the framing, 1
4-7     sequence number, counts the sender's frames
8-11    length of the body in bytes, at most `BODY_MAXIMUM`
12-15   CRC-32 of bytes 0 to 11
...     body
4       CRC-32 of the body
======  =====================================================

CRC-32 is that of IEEE 802.3 (`zlib.crc32`). A frame with a wrong check sum is
dropped and counted; the decoder then looks for the next marker.
"""

import struct
import zlib

__all__ = ["BODY_MAXIMUM", "FrameDecoder", "encode_frame"]

BODY_MAXIMUM = 1 << 22
"""Longest body: a Toeplitz matrix for nine packets takes a quarter of a megabyte at most."""

_MARKER = b"KBM\x01"
_HEADER = struct.Struct("<4sII")
_CHECK = struct.Struct("<I")
_OVERHEAD = _HEADER.size + _CHECK.size


def encode_frame(sequence: int, body: bytes) -> bytes:
    """Return the bytes of a frame.

    Parameters
    ----------
    sequence : int
        Number of the frame, taken modulo 2^32.
    body : bytes
        At most `BODY_MAXIMUM` bytes.
    """
    if len(body) > BODY_MAXIMUM:
        raise ValueError(f"a body of {len(body)} bytes is too long for a frame")
    header = _HEADER.pack(_MARKER, sequence & 0xFFFFFFFF, len(body))
    return b"".join((header, _CHECK.pack(zlib.crc32(header)), body, _CHECK.pack(zlib.crc32(body))))


class FrameDecoder:
    """Finds the frames in a stream of bytes.

    Attributes
    ----------
    corrupted : int
        Frames dropped for a wrong check sum, and places where no frame began.
    missing : int
        Frames that, by their sequence numbers, never came.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._next_sequence = 0
        self.corrupted = 0
        self.missing = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; return the bodies of the frames that are complete."""
        self._buffer += data
        bodies = []
        while self._align():
            _, sequence, length = _HEADER.unpack_from(self._buffer)
            end = _OVERHEAD + length
            if len(self._buffer) < end + _CHECK.size:
                break
            body = bytes(self._buffer[_OVERHEAD:end])
            (check,) = _CHECK.unpack_from(self._buffer, end)
            if check != zlib.crc32(body):
                self._skip_marker()
                continue
            del self._buffer[: end + _CHECK.size]
            self._count(sequence)
            bodies.append(body)
        return bodies

    def _align(self) -> bool:
        """Drop what precedes the next good header; return whether one is there."""
        while True:
            place = self._buffer.find(_MARKER)
            if place < 0:
                # What could be the beginning of a marker stays.
                place = max(len(self._buffer) - len(_MARKER) + 1, 0)
                del self._buffer[:place]
                return False
            del self._buffer[:place]
            if len(self._buffer) < _OVERHEAD:
                return False
            (check,) = _CHECK.unpack_from(self._buffer, _HEADER.size)
            length = _HEADER.unpack_from(self._buffer)[2]
            if check == zlib.crc32(self._buffer[: _HEADER.size]) and length <= BODY_MAXIMUM:
                return True
            self._skip_marker()

    def _skip_marker(self) -> None:
        self.corrupted += 1
        del self._buffer[: len(_MARKER)]

    def _count(self, sequence: int) -> None:
        ahead = (sequence - self._next_sequence) & 0xFFFFFFFF
        if ahead < 1 << 31:
            self.missing += ahead
            self._next_sequence = (sequence + 1) & 0xFFFFFFFF
