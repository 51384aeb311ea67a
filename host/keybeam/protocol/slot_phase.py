"""Numbers of the receiver's slot clock, gate and phase histogram, which the host sets and reads."""

__all__ = [
    "HISTOGRAM_BINS",
    "INCREMENT_BITS",
    "MARKER_BITS",
    "PHASE_AGE_CYCLES",
    "PHASE_COUNT_BITS",
    "RAMP_BITS",
    "RAMP_CYCLES",
    "SLOT_FRACTION_BITS",
    "SLOT_PHASE_BITS",
]

SLOT_FRACTION_BITS = 48
"""Bits of the slot clock's phase: it counts in 2^-48 slot."""

INCREMENT_BITS = 40
"""Bits of its increment a cycle, signed, in 2^-48 slot: ±488 ppm of the pulse rate."""

RAMP_CYCLES = 1 << 14
"""Cycles after which the ramp is added to the increment: 104.9 µs."""

RAMP_BITS = 20
"""Bits of the ramp, signed, in 2^-48 slot: ±4.4 ppm/s."""

SLOT_PHASE_BITS = 12
"""Bits of the phase of an event in its slot, in 2^-12 slot: 0.39 ps, as fine as its time."""

MARKER_BITS = 32
"""Bits of the times after a marker, in fine steps: a window ends 0.8 ms after it at most."""

HISTOGRAM_BINS = 1024
"""Bins of the phase histogram in a slot: 1.5625 ps each."""

PHASE_COUNT_BITS = 32
"""Bits of a count of the phase histogram."""

PHASE_AGE_CYCLES = 5
"""Age of the events, in cycles from their coarse time to their arrival at the gate, whose phase the
slot clock gives without correction."""
