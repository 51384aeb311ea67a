"""What the blocks of the pattern hand on to one another."""

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.lanes import FINE_DELAY_BITS, LANE_DELAY_BITS, LANES, SUBSLOTS
from keybeam.protocol.modes import PatternMode, StartCondition
from keybeam.protocol.numbers import FRAME_SLOTS, PULSE_INDEX_BITS
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD, Intensity

__all__ = [
    "BLANKED_SYMBOL",
    "FINE_DELAY_LAYOUT",
    "FRAME_SETTINGS",
    "LANE_SETTINGS",
    "SELECTION",
    "SERIAL_BITS",
    "SPACING_BITS",
    "START_SIGNATURE",
]

BLANKED_SYMBOL = Intensity.INVALID << 2
"""Symbol of a slot in which nothing was sent that could become key."""

SPACING_BITS = 3
"""Bits of the spacing n: a pulse every 2^n slots, 0 to 4."""

SERIAL_BITS = SUBSLOTS * SYMBOLS_PER_WORD
"""Bits of the serial lane in a cycle."""

FINE_DELAY_LAYOUT = data.StructLayout({f"lane_{lane}": FINE_DELAY_BITS for lane in range(LANES)})

FRAME_SETTINGS = data.StructLayout(
    {"mode": PatternMode, "symbol": SYMBOL_BITS, "spacing": SPACING_BITS}
)
"""What is the same in a whole frame: mode, symbol of mode FIXED, and log2 of the spacing."""

SELECTION = data.StructLayout(
    {"blank": 1, "map": 1, "user": 1, "fixed": 1, "unfit": 1, "slots": SYMBOLS_PER_WORD}
)
"""Where the symbols of a cycle come from: blanked for want of random bits (``blank``), else one of
the three sources, else none. ``unfit`` marks the cycle in which bits first were found unfit for
keys, ``slots`` the slots that have a pulse."""

LANE_SETTINGS = data.StructLayout({"delay": LANE_DELAY_BITS, "invert": 1, "enable": 1, "idle": 1})
"""Settings of a lane: delay in slots, inversion, enable, and level while it does nothing."""

START_SIGNATURE = wiring.Signature(
    {
        "condition": Out(StartCondition),
        "frame": Out(FRAME_COUNTER_BITS),
        "armed": In(1),
        "pps_index": In(PULSE_INDEX_BITS),
        "pps_lead": In(range(2 * FRAME_SLOTS)),
    }
)
"""Between the registers and the time base: what a start waits for, the frame of condition FRAME;
whether it waits, the pulse index of the last rising edge of the pulse-per-second input, and the
slots from the edge that started the pattern to the pattern's first slot."""
