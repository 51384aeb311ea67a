"""The downlink frame: 16 384 line bits, the first of them sent together with slot 0.

=============  ======  ==========  =================================================
bytes          length  scrambled   content
=============  ======  ==========  =================================================
0 to 7         8       no          sync word (`sync_region`)
8 to 13        6       yes         frame counter
14             1       yes         mode flags (`FrameFlag`)
15             1       yes         format version `FRAME_VERSION`
16 to 17       2       yes         payload length in bytes, 0 to `PAYLOAD_BYTES`
18 to 19       2       yes         CRC-16 of bytes 8 to 17
20 to 2043     2024    yes         payload, then idle fill (0x00)
2044 to 2047   4       yes         CRC-32 of bytes 8 to 2043
=============  ======  ==========  =================================================

Numbers are big-endian and bytes are sent most significant bit first. CRC-16 is
CRC-16/IBM-3740 (polynomial 0x1021, initial value 0xFFFF, not reflected);
CRC-32 is CRC-32/BZIP2 (polynomial 0x04C11DB7, initial value and final
exclusive-or 0xFFFFFFFF, not reflected): both then follow the order of the line
bits. The scrambler is additive: after the sync word every line bit is combined
by exclusive-or with the output of the register of x^15 + x^14 + 1 (the one of
ETSI EN 300 421, section 4.4.1) which starts each frame at `SCRAMBLER_SEED`;
the output is stage 14 xor stage 15, which is also what is shifted in.
"""

from enum import IntFlag
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FRAME_BITS

__all__ = [
    "CRC16_INITIAL",
    "CRC16_POLYNOMIAL",
    "CRC32_POLYNOMIAL",
    "FRAME_BYTES",
    "FRAME_VERSION",
    "HEADER_BYTES",
    "PAYLOAD_BYTES",
    "SCRAMBLER_SEED",
    "SCRAMBLER_TAPS",
    "SHORT_SYNC_WORD",
    "SYNC_BYTES",
    "SYNC_FILL",
    "SYNC_REACH_STEP",
    "SYNC_WORD",
    "SYNC_ZEROS_MAXIMUM",
    "DownlinkFrame",
    "FrameFlag",
    "crc16",
    "crc32",
    "decode_frame",
    "encode_frame",
    "scrambler_bits",
    "sync_region",
]

FRAME_BYTES = FRAME_BITS // 8
SYNC_BYTES = 8
HEADER_BYTES = 12
CRC_BYTES = 4
PAYLOAD_BYTES = FRAME_BYTES - SYNC_BYTES - HEADER_BYTES - CRC_BYTES
FRAME_VERSION = 1

SYNC_WORD = 0x034776C7_272895B0
"""The sync word, sent most significant bit first: the 64-bit attached sync marker of CCSDS 131.0-B,
section 9, chosen there for its low self-correlation."""

SHORT_SYNC_WORD = 0x1ACFFC1D
"""A sync word of 32 bits: the attached sync marker of CCSDS 131.0-B for frames without turbo or
low-density parity-check code."""

SYNC_FILL = 0x5A5A5A5A
"""What follows a sync word of 32 bits: as many bits with many edges, which are not compared."""

SYNC_ZEROS_MAXIMUM = 7
"""Zeros with which a sync word may begin at most. It must begin with one at least: the edge to its
first one, which is there whatever was sent before, gives the word its time."""

SYNC_REACH_STEP = 4
"""Bits to either side by which a receiver widens, with every sync word that it misses, the place in
which it looks for the next one: more than the 1.6 bits that 100 ppm make in a frame, and what its
data recovery may gain or lose on noise."""

SCRAMBLER_TAPS = (14, 15)
SCRAMBLER_SEED = 0b000_0000_1010_1001
"""Start of the register: bit k-1 is stage k."""

CRC16_POLYNOMIAL, CRC16_INITIAL = 0x1021, 0xFFFF
CRC32_POLYNOMIAL = 0x04C11DB7


def sync_region(word: int, bits: int = 64) -> int:
    """Give the 64 line bits in the place of the sync word.

    Parameters
    ----------
    word : int
        The sync word; its first bit must be 0, one of its first eight bits 1.
    bits : int
        Its length, 64 or 32; `SYNC_FILL` follows one of 32 bits.

    Raises
    ------
    ValueError
        If the word has another length, or no edge to take its time from.
    """
    if bits not in (32, 64) or not 0 <= word < 1 << bits:
        raise ValueError(f"sync word {word:#x} must have 32 or 64 bits")
    if not 1 <= bits - word.bit_length() <= SYNC_ZEROS_MAXIMUM:
        raise ValueError(
            f"sync word {word:#x} must begin with 1 to {SYNC_ZEROS_MAXIMUM} zeros and then a 1"
        )
    return word if bits == 64 else word << 32 | SYNC_FILL


class FrameFlag(IntFlag):
    """Mode flags of a frame's header. A frame is fit for key only if it is RUNNING and no more."""

    RUNNING = 0x01
    """The pattern runs: pulses with symbols are sent in this frame."""
    NOT_KEY = 0x02
    """The pattern is, or since the last reset was, something other than fresh random symbols."""
    UNDERFLOW = 0x04
    """Some slots since the last frame were blanked for want of random bits."""
    MODE = 0x70
    """Three bits: the `PatternMode` of the frame, 0 for KEY."""


class DownlinkFrame(NamedTuple):
    """Content of a frame."""

    counter: int
    flags: FrameFlag
    payload: bytes


def _crc(data: bytes, polynomial: int, width: int, register: int) -> int:
    mask = (1 << width) - 1
    for byte in data:
        register ^= byte << (width - 8)
        for _ in range(8):
            carry = register >> (width - 1)
            register = (register << 1 & mask) ^ (polynomial if carry else 0)
    return register


def crc16(data: bytes) -> int:
    """CRC-16/IBM-3740 of `data` (check value 0x29B1 for ``b"123456789"``)."""
    return _crc(data, CRC16_POLYNOMIAL, 16, CRC16_INITIAL)


def crc32(data: bytes) -> int:
    """CRC-32/BZIP2 of `data` (check value 0xFC891918 for ``b"123456789"``)."""
    return _crc(data, CRC32_POLYNOMIAL, 32, 0xFFFFFFFF) ^ 0xFFFFFFFF


@cache
def scrambler_bits() -> NDArray[np.uint8]:
    """Scrambling sequence of the bits after the sync word.

    Returns
    -------
    ndarray of uint8, shape (FRAME_BITS - 64,)
        Zeros and ones in the order of the line.
    """
    register = SCRAMBLER_SEED
    out = np.empty(FRAME_BITS - 8 * SYNC_BYTES, dtype=np.uint8)
    for place in range(out.size):
        bit = (register >> (SCRAMBLER_TAPS[0] - 1) ^ register >> (SCRAMBLER_TAPS[1] - 1)) & 1
        register = (register << 1 | bit) & 0x7FFF
        out[place] = bit
    out.setflags(write=False)
    return out


def encode_frame(frame: DownlinkFrame, sync: int = SYNC_WORD) -> NDArray[np.uint8]:
    """Line bits of a frame.

    Parameters
    ----------
    frame : DownlinkFrame
        Payload of at most `PAYLOAD_BYTES` bytes.
    sync : int
        What stands in the place of the sync word, as `sync_region` gives it.

    Returns
    -------
    ndarray of uint8, shape (FRAME_BITS,)
        Zeros and ones in the order of the line.

    Raises
    ------
    ValueError
        If the payload is too long.
    """
    if len(frame.payload) > PAYLOAD_BYTES:
        raise ValueError(f"payload has {len(frame.payload)} bytes, a frame holds {PAYLOAD_BYTES}")
    head = (frame.counter % (1 << 48)).to_bytes(6, "big")
    head += bytes([frame.flags, FRAME_VERSION]) + len(frame.payload).to_bytes(2, "big")
    body = head + crc16(head).to_bytes(2, "big") + frame.payload.ljust(PAYLOAD_BYTES, b"\0")
    body += crc32(body).to_bytes(4, "big")
    bits = np.unpackbits(np.frombuffer(sync.to_bytes(SYNC_BYTES, "big") + body, np.uint8))
    bits[8 * SYNC_BYTES :] ^= scrambler_bits()
    return bits


def decode_frame(bits: NDArray[np.uint8]) -> DownlinkFrame | None:
    """Content of a frame's line bits, or None where a check sum or the version is wrong.

    Parameters
    ----------
    bits : ndarray of uint8, shape (FRAME_BITS,)
        Zeros and ones from the first bit of the sync word on; the sync word
        itself is not compared.
    """
    plain = bits.copy()
    plain[8 * SYNC_BYTES :] ^= scrambler_bits()
    data = np.packbits(plain).tobytes()[SYNC_BYTES:]
    head, length = data[:10], int.from_bytes(data[8:10], "big")
    if crc16(head) != int.from_bytes(data[10:12], "big") or head[7] != FRAME_VERSION:
        return None
    if length > PAYLOAD_BYTES or crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        return None
    payload = data[HEADER_BYTES : HEADER_BYTES + length]
    return DownlinkFrame(int.from_bytes(head[:6], "big"), FrameFlag(head[6]), payload)
