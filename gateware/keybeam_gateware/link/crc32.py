"""The CRC-32 of IEEE 802.3, clause 3.2.9, a byte at a time, least significant bit first."""

from amaranth import Cat, Value

__all__ = ["CRC32_INITIAL", "CRC32_RESIDUE", "crc32_step"]

CRC32_INITIAL = 0xFFFFFFFF
"""Content of the register before the first byte. The check sum is the register's complement."""

CRC32_RESIDUE = 0xDEBB20E3
"""Content of the register after data and their check sum, lowest byte first."""

_POLYNOMIAL = 0xEDB88320
"""0x04C11DB7 with its bits reversed."""


def _shift_out(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register


def crc32_step(register: Value, byte: Value) -> Value:
    """Register after one more byte, as a tree of exclusive-ors of at most 17 inputs.

    Parameters
    ----------
    register : Value, 32 bits
        Before the byte.
    byte : Value, 8 bits
        The byte.
    """
    # The step is linear: bit k of (register ^ byte) contributes the same pattern always.
    effects = [_shift_out(1 << bit) for bit in range(8)]
    bits = []
    for out in range(32):
        terms = [
            part[bit] for bit in range(8) if effects[bit] >> out & 1 for part in (register, byte)
        ]
        if out + 8 < 32:
            terms.append(register[out + 8])
        bits.append(Cat(*terms).xor())
    return Cat(*bits)
