"""Numbers that the delay-line time-tagger and its host share."""

from keybeam.protocol.numbers import FINE_BITS

__all__ = [
    "DEAD_TIME_BITS",
    "DELAY_BITS",
    "DELAY_LINE_SLICES",
    "DELAY_LINE_TAPS",
    "DIVIDER_BITS",
    "HISTOGRAM_COUNT_BITS",
    "HISTOGRAM_PAUSE",
    "LEAD_BITS",
    "LEAD_CYCLES",
    "MOST_LINES",
    "NOMINAL_TAP_PS",
    "OFFSET_BITS",
    "RATE_WINDOW_BITS",
    "TAPS_PER_BLOCK",
    "WINDOW_BLOCKS",
    "table_entries",
]

DELAY_LINE_SLICES = 192
"""Slices of a delay line. At 39 ps a slice, the fastest that the tools' timing data give for any
speed grade, they last 7.5 ns: a period of 6.4 ns, what the encoder cannot use at both ends, and a
tenth for a part that is faster still."""

DELAY_LINE_TAPS = 2 * DELAY_LINE_SLICES
"""Taps of a delay line: two a slice."""

NOMINAL_TAP_PS = 26.5
"""Mean delay of a tap in picoseconds: half of the 53 ps that a slice takes at speed grade 8 by the
tools' timing data (Project Trellis, SCCU2C)."""

MOST_LINES = 2
"""Delay lines of a channel at most."""

TAPS_PER_BLOCK = 8
"""Taps that the encoder counts together: those of a tile."""

WINDOW_BLOCKS = 4
"""Blocks around an edge in which the encoder counts taps: one before the block where the level
changes, that one, and two behind it."""

LEAD_CYCLES = 2
"""Clock cycles before the picture from which the calibration table counts."""

LEAD_BITS = FINE_BITS + 2
"""Bits of an entry of the calibration table: time of the edge in fine steps after the clock edge
`LEAD_CYCLES` before the one that took the picture."""

DELAY_BITS = 24
"""Bits of a channel's delay, a signed number of fine steps: ±3.2 µs."""

DEAD_TIME_BITS = 25
"""Bits of a channel's dead time in fine steps: up to 13.1 µs."""

DIVIDER_BITS = 16
"""Bits of a channel's event divider."""

OFFSET_BITS = 7
"""Bits of the offset between delay line and sampled input, a signed number of slots."""

HISTOGRAM_COUNT_BITS = 32
"""Bits of a count of the code-density histogram."""

HISTOGRAM_PAUSE = 7
"""Cycles after an edge that counts in which the code-density histogram counts none."""

RATE_WINDOW_BITS = 20
"""A rate is counted over 2^20 cycles, 6.7 ms."""


def table_entries(chains: int, taps: int = DELAY_LINE_TAPS) -> int:
    """Give the number of codes of a channel, a power of two.

    Parameters
    ----------
    chains : int
        Delay lines of the channel, whose codes are added.
    taps : int
        Taps of each.

    Returns
    -------
    int
        Entries of the calibration table for one direction of edges.
    """
    return 1 << (chains * taps).bit_length()
