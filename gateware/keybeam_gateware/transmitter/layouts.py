"""What the transmitter's blocks hand on to one another, cycle by cycle."""

from amaranth.lib import data
from amaranth.utils import exact_log2

from keybeam.protocol.lanes import LANES
from keybeam.protocol.numbers import FRAME_CYCLES
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD

__all__ = [
    "CYCLE_BITS",
    "LANES_LAYOUT",
    "SENT_LAYOUT",
    "SYMBOLS_LAYOUT",
    "TIME_LAYOUT",
    "WORD_INDEX_BITS",
]

CYCLE_BITS = exact_log2(FRAME_CYCLES)
"""Bits of the cycle within a frame, which is also the number of the line bit."""

WORD_INDEX_BITS = FRAME_COUNTER_BITS + CYCLE_BITS
"""Bits of the index of a fabric clock cycle: the pulse index of its slot 0, divided by four."""

TIME_LAYOUT = data.StructLayout(
    {"cycle": CYCLE_BITS, "frame": FRAME_COUNTER_BITS, "running": 1, "first": 1}
)
"""Where a fabric clock cycle stands: cycle within its frame, frame counter, whether the pattern
runs, and whether it is the first cycle since the pattern started."""

LANES_LAYOUT = data.StructLayout({f"lane_{lane}": SYMBOLS_PER_WORD for lane in range(LANES)})
"""The lanes; bit k of each is slot k of the cycle. The lane table says what each is for; as it is
at first, ``lane_0`` is the laser's trigger, ``lane_1`` and ``lane_2`` the bits of the `Intensity`,
with VACUUM in the place of INVALID, and ``lane_3`` and ``lane_4`` those of the `Polarisation`."""

SYMBOLS_LAYOUT = data.StructLayout(
    {f"slot_{slot}": SYMBOL_BITS for slot in range(SYMBOLS_PER_WORD)}
)
"""Symbols of a fabric clock cycle, the earliest slot first.

Not an array: Amaranth names the elements of an array ``name[0]``, as Yosys' technology mapping
names bits, and Yosys then confuses the two.
"""

SENT_LAYOUT = data.StructLayout(
    {"valid": 1, "first": 1, "not_key": 1, "word": WORD_INDEX_BITS, "symbols": SYMBOLS_LAYOUT}
)
"""What was sent in a cycle: whether the pattern ran, whether it was the first cycle since its
start, whether its frame cannot become key, the pulse index of slot 0 divided by four, and the
symbols. ``not_key`` is the same in all cycles of a frame."""
