"""Frames of the link between board and host (UART, or what stands for it).

A link frame is ``kind (1 byte) | sequence (1 byte) | body | CRC-32 (4 bytes)``,
encoded by consistent overhead byte stuffing (Cheshire and Baker, IEEE/ACM
Trans. Netw. 7, 159, 1999) and ended by one zero byte. All numbers are
little-endian; the CRC-32 is that of IEEE 802.3 (`zlib.crc32`) over everything
before it. A frame that fails its check is dropped and counted by whoever
receives it.

==================  =========  ===================================================
kind                direction  body
==================  =========  ===================================================
REGISTER_READ       to board   address (2), in words of 32 bits
REGISTER_WRITE      to board   address (2), value (4)
LOOKUP              to board   1 to 31 pulse indices (8 each)
PAYLOAD             to board   1 to 240 bytes for the downlink's payload stream
REGISTER_VALUE      to host    address (2), value (4): answers read and write alike
REGISTER_ERROR      to host    address (2), `LinkError` (1)
LOOKUP_ANSWER       to host    one byte an index: `LookupStatus` << 4 | symbol
TAGS                to host    first record number (4), then 1 to 30 records (8 each)
MESSAGE             to host    1 to 240 bytes of the received payload stream
==================  =========  ===================================================

The board answers each request with the sequence byte of the request:
REGISTER_READ and REGISTER_WRITE with REGISTER_VALUE (the value read or
written), LOOKUP with LOOKUP_ANSWER, PAYLOAD with REGISTER_VALUE (address
0xFFFF, the bytes still free in the payload buffer as the value), and whatever
it cannot do with REGISTER_ERROR (address 0xFFFF where the request has none or
is malformed). A REGISTER_WRITE, LOOKUP or PAYLOAD frame with the same kind and
sequence byte as the last request answered is not carried out again: the same
answer is sent again. A REGISTER_READ is always carried out, so a host that
opens a link reads first, and no request of an earlier host can be taken for
its own. Requests are carried out and answered in their order; a board keeps
512 bytes of those that it has not come to yet. Only the last one is known
again when it is repeated, so of several under way each must bear repetition,
with a sequence byte of its own. The sequence byte of TAGS and MESSAGE frames
counts the board's own frames of that kind; records are numbered from the
board's reset on, modulo 2^32.

A receiver sends TAGS frames only within the credit that its host has granted.
A TAGS frame costs its records and 2 more, so that a unit of credit is at most
8 bytes on the line. Grants are cumulative: the host writes to the register
GRANT (`CreditAddress`) all that the board may have spent since its reset,
modulo 2^32, and the board starts a TAGS frame only while at least 32 units are
left, what the longest frame costs. So a grant may be lost, repeated or come
late: only one that lies ahead of the one before (by less than 2^31) counts.
After reset nothing is granted. A host grants what it has seen spent and a
window beyond, which is no more than what can wait for it without loss; frames
lost on the line do not cost credit for good, as it sees from the next frame
(sequence byte and record number), or from the register SPENT, what they have
cost. What finds no credit waits in the board, and becomes a marked gap of its
channel (GAP_BEGIN, GAP_END) where it cannot wait.
"""

import zlib
from enum import IntEnum

from cobs import cobs

__all__ = [
    "CREDIT_BITS",
    "CREDIT_LEAST",
    "CREDIT_OF_FRAME",
    "LINK_DELIMITER",
    "LOOKUP_MAXIMUM",
    "MESSAGE_MAXIMUM",
    "PAYLOAD_ADDRESS",
    "PAYLOAD_MAXIMUM",
    "RECORD_NUMBER_BITS",
    "TAGS_MAXIMUM",
    "UART_BAUD",
    "CreditAddress",
    "FrameKind",
    "LinkError",
    "LinkFrameError",
    "LookupStatus",
    "decode_link_frame",
    "encode_link_frame",
]

LINK_DELIMITER = b"\0"
LOOKUP_MAXIMUM = 31
"""Pulse indices of a LOOKUP frame at most, so that a frame is at most 254 bytes before stuffing."""
TAGS_MAXIMUM = 30
PAYLOAD_MAXIMUM = 240
MESSAGE_MAXIMUM = 240
PAYLOAD_ADDRESS = 0xFFFF

RECORD_NUMBER_BITS = 32
"""Bits of the number of a record, with which a TAGS frame begins."""
CREDIT_BITS = 32
"""Bits of the sums of credit granted and spent."""
CREDIT_OF_FRAME = 2
"""What a TAGS frame costs beside 1 for each of its records: head, check sum and stuffing of a frame
are at most 14 bytes long, a record 8."""
CREDIT_LEAST = 32
"""Credit that must be left for a TAGS frame to start: the cost of the longest."""

UART_BAUD = 3_000_000
"""Bits a second of a board's serial line, unless board and host are told otherwise: the most that
common USB bridges carry. A byte is 8 data bits without parity and 1 stop bit."""


class FrameKind(IntEnum):
    """Kind of a link frame."""

    REGISTER_READ = 0x01
    REGISTER_WRITE = 0x02
    LOOKUP = 0x03
    PAYLOAD = 0x04
    REGISTER_VALUE = 0x81
    REGISTER_ERROR = 0x82
    LOOKUP_ANSWER = 0x83
    TAGS = 0x84
    MESSAGE = 0x85


class CreditAddress(IntEnum):
    """Addresses, in words of 32 bits, of a receiver's registers of the credit for tag records."""

    GRANT = 0x10
    """Takes what is granted since reset; write-only."""
    GRANTED = 0x11
    """What is granted since reset."""
    SPENT = 0x12
    """What is spent since reset."""
    RECORDS = 0x13
    """How many records were put into frames since reset."""


class LinkError(IntEnum):
    """Why a request was refused."""

    NO_REGISTER = 1
    """No register has this address."""
    READ_ONLY = 2
    """The register cannot be written."""
    MALFORMED = 3
    """The body has not the length its kind asks for."""
    NO_ROOM = 4
    """The payload buffer has no room for the whole body: nothing of it was taken."""
    UNSUPPORTED = 5
    """The board does not know this kind of request."""


class LookupStatus(IntEnum):
    """What the state log says of a pulse index."""

    FOUND = 0
    """The symbol was sent at that index, in a frame that can become key."""
    TOO_OLD = 1
    """Sent before the start of the pattern, or overwritten."""
    TOO_NEW = 2
    """Not sent yet."""
    NOT_KEY = 3
    """The symbol was sent at that index, in a frame that must not become key."""
    LOST = 4
    """Sent in a frame of which a part could not be kept, or the memory does not answer."""


class LinkFrameError(ValueError):
    """A frame that cannot be decoded: stuffing, length or check sum is wrong."""


def encode_link_frame(kind: int, sequence: int, body: bytes) -> bytes:
    """Bytes on the wire of a frame, the ending zero included.

    Parameters
    ----------
    kind : FrameKind
        Kind of the frame.
    sequence : int
        Sequence byte, 0 to 255.
    body : bytes
        What the kind asks for.
    """
    plain = bytes([kind, sequence]) + body
    plain += zlib.crc32(plain).to_bytes(4, "little")
    return bytes(cobs.encode(plain)) + LINK_DELIMITER


def decode_link_frame(stuffed: bytes) -> tuple[int, int, bytes]:
    """Kind, sequence byte and body of a frame.

    Parameters
    ----------
    stuffed : bytes
        The frame without its ending zero.

    Raises
    ------
    LinkFrameError
        If stuffing, length or check sum is wrong.
    """
    try:
        plain = bytes(cobs.decode(stuffed))
    except cobs.DecodeError as error:
        raise LinkFrameError(f"stuffing: {error}") from error
    if len(plain) < 6:
        raise LinkFrameError(f"{len(plain)} bytes are too few for a frame")
    if zlib.crc32(plain[:-4]) != int.from_bytes(plain[-4:], "little"):
        raise LinkFrameError("check sum")
    return plain[0], plain[1], plain[2:-4]
