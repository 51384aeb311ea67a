"""What the blocks behind a random-number chip hand on to one another."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from keybeam.randomness import GROUP_BITS, LANES, WORD_BITS

__all__ = [
    "ALARMS_LAYOUT",
    "ALIGNMENT_LAYOUT",
    "CHIPS_LAYOUT",
    "CHIPS_VALID_LAYOUT",
    "CHIP_NAMES",
    "COUNT_BITS",
    "CUTOFFS_LAYOUT",
    "LANE_PAIRS",
    "SHIFT_BITS",
    "lane_groups",
    "random_layout",
]

LANE_PAIRS = tuple((first, second) for first in range(LANES) for second in range(first + 1, LANES))
"""Each two lanes, in the order of their alarms: 01, 02, 03, 12, 13, 23."""

COUNT_BITS = 10
"""Bits of the cut-off of a run."""

CHIP_NAMES = ("a", "b")
"""The two random-number chips."""

CHIPS_LAYOUT = data.StructLayout(dict.fromkeys(CHIP_NAMES, WORD_BITS))
"""A word of each of two chips: bits of lane 0 lowest, of a lane the earliest lowest."""

CHIPS_VALID_LAYOUT = data.StructLayout(dict.fromkeys(CHIP_NAMES, 1))
"""Whether there is a word of either chip in this cycle."""

CUTOFFS_LAYOUT = data.StructLayout(
    {
        "repetition_bits": COUNT_BITS,
        "repetition_symbols": COUNT_BITS,
        "repetition_groups": COUNT_BITS,
        "repetition_words": COUNT_BITS,
        "proportion_bits": 11,
        "proportion_symbols": COUNT_BITS,
    }
)
"""Cut-offs of the health tests of a chip; the fields of `keybeam.randomness.Cutoffs`."""

ALARMS_LAYOUT = data.StructLayout(
    {
        "repetition_lanes": LANES,
        "repetition_pairs": len(LANE_PAIRS),
        "repetition_symbols": 1,
        "repetition_groups": LANES,
        "repetition_words": 1,
        "proportion_lanes": LANES,
        "proportion_symbols": 1,
    }
)
"""Alarms of the health tests of a chip, of which those on lanes have a bit a lane."""

SHIFT_BITS = 4
"""Bits of the delay of a lane: slip of bits below, whole words above."""

ALIGNMENT_LAYOUT = data.StructLayout({f"lane_{lane}": SHIFT_BITS for lane in range(LANES)})
"""By how many bits each lane is delayed, so that all of them arrive together."""


def random_layout(width: int) -> data.StructLayout:
    """Random bits with the mark that all of them are fit for keys.

    Parameters
    ----------
    width : int
        Number of bits.

    Returns
    -------
    StructLayout
        Fields ``bits`` and ``live``.
    """
    return data.StructLayout({"bits": unsigned(width), "live": 1})


def lane_groups(word) -> list:
    """Bits of each lane in a word."""
    return [word[GROUP_BITS * lane :][:GROUP_BITS] for lane in range(LANES)]
