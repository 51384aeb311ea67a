"""Phase of the transmitter's pulses in the receiver's time."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.records import COARSE_BITS
from keybeam.protocol.slot_phase import (
    INCREMENT_BITS,
    RAMP_BITS,
    RAMP_CYCLES,
    SLOT_FRACTION_BITS,
    SLOT_PHASE_BITS,
)
from keybeam_gateware.pipeline import delayed

__all__ = ["SlotClock"]

_HALF = SLOT_FRACTION_BITS // 2


class SlotClock(wiring.Component):
    """Numerically controlled oscillator that runs with the pulses.

    Four slots of the transmitter are a cycle of the receiver only nominally. So the phase of the
    pulses at the beginning of a cycle, in parts of a slot, moves on by `increment` every cycle, and
    `increment` itself by `ramp` every `RAMP_CYCLES` cycles. The host sets all three from the clock
    that it recovered (`keybeam.timing.slot_phase`), to hold from the cycle `at` on: the change is
    the same at whatever time the host's words come in, as long as that is before `at`.

    Everything is counted in 2^-48 slot. A step of `increment` is 0.9 fs/s; what its rounding adds
    in a second is below that. A step of `ramp` is 8.5e-12/s, its rounding 2 ps after one second.

    There is one for all channels. Registers: `increment`, `ramp`, `offset`, `at` (read and write),
    `armed` (read), and a bit that is written to arm.

    Members
    -------
    cycle : In(40)
        Number of the present cycle.
    arm : In(1)
        Take the settings over when the cycle `at` begins. They must not change until then.
    at : In(40)
        That cycle.
    offset : In(48)
        Phase at the beginning of that cycle, in 2^-48 slot.
    increment : In(signed(40))
        Slots of a cycle less four, in 2^-48 slot: at most ±488 ppm.
    ramp : In(signed(20))
        What is added to the increment after every `RAMP_CYCLES` cycles: at most ±4.4 ppm/s.
    armed : Out(1)
        The cycle `at` has not come yet. If it stays, `at` had passed before `arm`.
    phase : Out(12)
        Phase at the beginning of the cycle `LATENCY` before the present one, in 2^-12 slot.
    """

    LATENCY = 4
    """Cycles from the beginning of a cycle to its phase."""

    cycle: In(COARSE_BITS)
    arm: In(1)
    at: In(COARSE_BITS)
    offset: In(SLOT_FRACTION_BITS)
    increment: In(signed(INCREMENT_BITS))
    ramp: In(signed(RAMP_BITS))
    armed: Out(1)
    phase: Out(SLOT_PHASE_BITS)

    def elaborate(self, platform):
        m = Module()
        # In halves, to keep the comparison short.
        half = COARSE_BITS // 2
        low_equal, high_equal, load = Signal(), Signal(), Signal()
        m.d.sync += [
            low_equal.eq(self.cycle[:half] == self.at[:half]),
            high_equal.eq(self.cycle[half:] == self.at[half:]),
            load.eq(self.armed & low_equal & high_equal),
        ]
        with m.If(self.arm):
            m.d.sync += self.armed.eq(1)
        with m.Elif(low_equal & high_equal):
            m.d.sync += self.armed.eq(0)

        steps = self._run_increment(m, load)
        # The upper half follows the lower one a cycle later.
        low, high = Signal(_HALF + 1), Signal(_HALF)
        m.d.sync += [
            low.eq(low[:_HALF] + steps[:_HALF]),
            high.eq(high + delayed(m, steps[_HALF:], 1) + low[_HALF]),
        ]
        with m.If(load):
            m.d.sync += low.eq(self.offset[:_HALF])
        with m.If(delayed(m, load, 1)):
            m.d.sync += high.eq(self.offset[_HALF:])
        m.d.comb += self.phase.eq(high[-SLOT_PHASE_BITS:])
        return m

    def _run_increment(self, m: Module, load: Signal) -> Signal:
        """Let the increment follow the ramp; give what is to be added in this cycle."""
        increment = Signal(signed(INCREMENT_BITS))
        count, last = Signal(range(RAMP_CYCLES)), Signal()
        m.d.sync += [count.eq(count + 1), last.eq(count == RAMP_CYCLES - 2)]
        with m.If(last):
            m.d.sync += increment.eq(increment + self.ramp)
        with m.If(load):
            m.d.sync += [increment.eq(self.increment), count.eq(0), last.eq(0)]
        steps = Signal(signed(SLOT_FRACTION_BITS))
        m.d.comb += steps.eq(increment)
        return steps
