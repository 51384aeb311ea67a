"""How the bits of a random-number chip are arranged, and which samples the health tests take.

A chip sends `LANES` lanes with a bit a slot each. A word holds the bits of a fabric clock cycle:
those of lane 0 lowest, and of a lane the earliest lowest. The tests take as samples

- the bits of each lane, one after the other;
- the symbols: the bits that all lanes send in one slot, lane 0 lowest;
- the differences of each two lanes: the exclusive-or of their bits of one slot;
- the groups: the four bits of a lane in a word, against those `REPEAT_DISTANCE` words before;
- the words, against those `REPEAT_DISTANCE` words before.
"""

from keybeam.protocol.numbers import SLOTS_PER_CYCLE

__all__ = [
    "BIT_WINDOW",
    "GROUP_BITS",
    "LANES",
    "REPEAT_DISTANCE",
    "STARTUP_WINDOWS",
    "SYMBOL_WINDOW",
    "WORD_BITS",
]

LANES = 4
"""Lanes of a chip: 4 × 625 Mb/s are the 4 bits of every pulse."""

GROUP_BITS = SLOTS_PER_CYCLE
"""Bits of one lane in a word."""

WORD_BITS = LANES * GROUP_BITS
"""Bits of a word: all that a chip sends in a fabric clock cycle."""

BIT_WINDOW = 1024
"""Samples of a window of the adaptive proportion test on bits (NIST SP 800-90B, 4.4.2: 1024 for
a binary source)."""

SYMBOL_WINDOW = 512
"""Samples of its window on symbols (NIST SP 800-90B, 4.4.2: 512 for any other source)."""

REPEAT_DISTANCE = 12
"""Words between those that are compared: what repeats every 1, 2, 3, 4, 6 or 12 words is found."""

STARTUP_WINDOWS = 2
"""Windows of `BIT_WINDOW` samples without an alarm before a source is released. NIST SP 800-90B,
4.3, asks for 1024 samples."""
