"""The numbers of the link: clocks, frames, intensities.

Figures of the Jinan-1 system are from Li et al., "Microsatellite-based
real-time quantum key distribution" (arXiv:2408.10994), called *the paper*
below; what is derived here says so.
"""

from fractions import Fraction

__all__ = [
    "BLOCK_PACKETS",
    "FABRIC_CLOCK_HZ",
    "FABRIC_PERIOD_PS",
    "FINE_BITS",
    "FINE_STEPS",
    "FRAME_BITS",
    "FRAME_CYCLES",
    "FRAME_DURATION_PS",
    "FRAME_RATE_HZ",
    "FRAME_SLOTS",
    "GATE_PS",
    "KEY_LENGTH_STEP",
    "LINE_RATE_HZ",
    "PACKET_BITS",
    "PULSE_INDEX_BITS",
    "PULSE_RATE_HZ",
    "SAMPLE_FRACTION",
    "SLOTS_PER_CYCLE",
    "SLOT_PS",
]

PULSE_RATE_HZ = 625_000_000
"""Pulses a second (the paper, "Compact QKD light source")."""

SLOTS_PER_CYCLE = 4
"""Pulses in a cycle of the fabric clock (derived: 625 MHz cannot clock an open FPGA's logic)."""

FABRIC_CLOCK_HZ = PULSE_RATE_HZ // SLOTS_PER_CYCLE
"""The clock of all logic, 156.25 MHz (derived)."""

LINE_RATE_HZ = FABRIC_CLOCK_HZ
"""Bits a second of the downlink and the uplink (the paper: "156 Mbps"; 625 MHz / 4 is derived)."""

SLOT_PS = 1_600
"""Duration of a pulse slot in picoseconds."""

FABRIC_PERIOD_PS = SLOT_PS * SLOTS_PER_CYCLE
"""Period of the fabric clock in picoseconds, also the duration of a line bit."""

FINE_BITS = 14
"""Bits of the fine time of a tag (derived)."""

FINE_STEPS = 1 << FINE_BITS
"""Fine steps in a fabric clock period: one is 6400 ps / 2^14 = 0.390625 ps."""

FRAME_BITS = 16_384
"""Line bits of a downlink frame (derived: gives the paper's "∼9.5 kHz" of sync words)."""

FRAME_CYCLES = FRAME_BITS
"""Fabric clock cycles of a frame: one line bit a cycle."""

FRAME_SLOTS = FRAME_CYCLES * SLOTS_PER_CYCLE
"""Pulses of a frame, 65 536."""

FRAME_RATE_HZ = Fraction(LINE_RATE_HZ, FRAME_BITS)
"""Frames, and so sync words, a second: 9536.743 Hz."""

FRAME_DURATION_PS = FRAME_SLOTS * SLOT_PS
"""Duration of a frame, 104.8576 µs, in picoseconds."""

PULSE_INDEX_BITS = 64
"""Bits of a pulse index, which is frame counter × 65 536 + slot (48 + 16)."""

GATE_PS = 800
"""Width of the temporal gate in picoseconds (the paper, "Multiplexed communication")."""

SAMPLE_FRACTION = 0.1
"""Part of the clicks whose bits are revealed to estimate the error rate
(the paper, Methods 0.3)."""

PACKET_BITS = 100_000
"""Sifted signal bits of a reconciliation packet (the paper, Methods 0.3)."""

BLOCK_PACKETS = 5
"""Packets of a privacy-amplification block by default: 500 kbit
(the paper, "Experimental results")."""

KEY_LENGTH_STEP = 128
"""Final key lengths are whole multiples of this many bits (derived)."""
