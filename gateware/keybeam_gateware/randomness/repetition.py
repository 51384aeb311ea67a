"""The repetition count test of NIST SP 800-90B, section 4.4.1."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam_gateware.randomness.layouts import COUNT_BITS

__all__ = ["REPEAT_LATENCY", "REPETITION_LATENCY", "RepeatCount", "RepetitionCount"]

REPETITION_LATENCY = 3
"""Cycles from `RepetitionCount.same` to `RepetitionCount.failed`."""

REPEAT_LATENCY = 2
"""Cycles from `RepeatCount.same` to `RepeatCount.failed`."""

_SHORTEST = SLOTS_PER_CYCLE + 1


class RepetitionCount(wiring.Component):
    """Counts equal samples in a row, four samples a cycle, across all cycles and windows.

    Only a run that goes on from an earlier cycle can be longer than four samples, so that it
    alone is compared with the cut-off, at the place where it ends or the cycle does.

    Members
    -------
    same : In(4)
        Bit k: sample k equals the one before it. Bit 0 of the very first sample is 0.
    valid : In(1)
        There are four samples in this cycle.
    cutoff : In(10)
        Length of a run that fails; less than 5 is taken as 5.
    failed : Out(1)
        A run reached the cut-off, `REPETITION_LATENCY` cycles ago.
    """

    same: In(SLOTS_PER_CYCLE)
    valid: In(1)
    cutoff: In(COUNT_BITS)
    failed: Out(1)

    def elaborate(self, platform):
        m = Module()
        # Samples at the beginning that go on with the run; length of the run at the end.
        lead, tail = (Signal(range(SLOTS_PER_CYCLE + 1)) for _ in range(2))
        whole, split, counted = Signal(), Signal(), Signal()
        with m.Switch(self.same):
            for same in range(1 << SLOTS_PER_CYCLE):
                equal = [bool(same >> place & 1) for place in range(SLOTS_PER_CYCLE)]
                with m.Case(same):
                    m.d.sync += lead.eq(_leading(equal))
                    m.d.sync += tail.eq(1 + _leading(equal[::-1]))
        m.d.sync += [whole.eq(self.same.all()), split.eq(self.valid)]

        limit = Signal(COUNT_BITS)
        run = Signal(COUNT_BITS + 1)
        reached = Signal(COUNT_BITS + 1)
        m.d.sync += [
            limit.eq(Mux(self.cutoff < _SHORTEST, _SHORTEST, self.cutoff)),
            counted.eq(split),
            self.failed.eq(counted & (reached >= limit)),
        ]
        with m.If(split):
            m.d.sync += reached.eq(run + lead)
            with m.If(~whole):
                m.d.sync += run.eq(tail)
            # Beyond every cut-off the exact length no longer matters.
            with m.Elif(~run[-1]):
                m.d.sync += run.eq(run + SLOTS_PER_CYCLE)
        return m


class RepeatCount(wiring.Component):
    """Counts repetitions in a row of which there can be one in a cycle.

    Members
    -------
    same : In(1)
        The sample equals the one that it is compared with.
    valid : In(1)
        There is a sample in this cycle.
    cutoff : In(10)
        Length of a run that fails: one more than its repetitions.
    failed : Out(1)
        A run reached the cut-off, `REPEAT_LATENCY` cycles ago.
    """

    same: In(1)
    valid: In(1)
    cutoff: In(COUNT_BITS)
    failed: Out(1)

    def elaborate(self, platform):
        m = Module()
        run = Signal(COUNT_BITS + 1, init=1)
        counted = Signal()
        m.d.sync += [counted.eq(self.valid), self.failed.eq(counted & (run >= self.cutoff))]
        with m.If(self.valid):
            with m.If(~self.same):
                m.d.sync += run.eq(1)
            with m.Elif(~run[-1]):
                m.d.sync += run.eq(run + 1)
        return m


def _leading(equal: list[bool]) -> int:
    """Length of the run of True at the beginning."""
    return equal.index(False) if False in equal else len(equal)
