"""Blocks with vendor cells again in plain logic, for simulators that know no such cell.

They behave as those of a family do: the lanes on a clock domain ``slot`` at four times
``sync``, whose rising edges coincide with those of ``sync``; the delay line by the picosecond.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOTS_PER_CYCLE

__all__ = ["DelayLine", "LaneDeserialiser", "LaneSerialiser"]


class LaneSerialiser(wiring.Component):
    """Send four bits a cycle on one line.

    Members
    -------
    word : In(4)
        Bits of this cycle of ``sync``, slot 0 lowest and first.
    line : Out(1)
        One bit a cycle of ``slot``.
    """

    word: In(SLOTS_PER_CYCLE)
    line: Out(1)

    def elaborate(self, platform):
        m = Module()
        # Which of two words is new shows in a bit that alternates, so that the order in which a
        # simulator takes coinciding edges does not matter.
        word, parity = Signal(SLOTS_PER_CYCLE), Signal()
        m.d.sync += [word.eq(self.word), parity.eq(~parity)]
        seen, remaining = Signal(), Signal(SLOTS_PER_CYCLE - 1)
        m.d.slot += seen.eq(parity)
        with m.If(seen != parity):
            m.d.slot += Cat(self.line, remaining).eq(word)
        with m.Else():
            m.d.slot += Cat(self.line, remaining).eq(remaining)
        return m


class LaneDeserialiser(wiring.Component):
    """Sample a line four times a cycle.

    Members
    -------
    line : In(1)
        The line.
    word : Out(4)
        Samples of one cycle of ``sync``, the earliest lowest.
    """

    line: In(1)
    word: Out(SLOTS_PER_CYCLE)

    def elaborate(self, platform):
        m = Module()
        samples = Signal(SLOTS_PER_CYCLE)
        m.d.slot += samples.eq(Cat(samples[1:], self.line))
        m.d.sync += self.word.eq(samples)
        return m


class DelayLine(wiring.Component):
    """Take a picture of a signal every cycle, from the times at which it changes.

    The signal begins low. In a cycle it may change twice.

    Parameters
    ----------
    delays_ps : sequence of int
        Delay of each tap in picoseconds, the skew of its clock included; at most two periods.
        They may be uneven, and out of order (bubbles).

    Members
    -------
    changes : In(2)
        How often the signal changes between the clock edges before and after this cycle: 0 to 2.
    first_ps, second_ps : In
        When it does, in picoseconds after the former; the first change not after the second.
    taps : Out
        Level that each tap showed at the last clock edge, as of the vendor's line.
    """

    def __init__(self, delays_ps: Sequence[int]) -> None:
        self._delays_ps = tuple(map(int, delays_ps))
        super().__init__(
            {
                "changes": In(2),
                "first_ps": In(range(FABRIC_PERIOD_PS)),
                "second_ps": In(range(FABRIC_PERIOD_PS)),
                "taps": Out(len(self._delays_ps)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        level = Signal()
        times = (self.first_ps, self.second_ps)
        ages = []
        for number, time in enumerate(times):
            changed = Signal(name=f"changed_{number}")
            age = Signal(range(FABRIC_PERIOD_PS + 1), name=f"age_{number}")
            before = Signal(range(2 * FABRIC_PERIOD_PS + 1), name=f"age_before_{number}")
            changed_before = Signal(name=f"changed_before_{number}")
            m.d.comb += [changed.eq(self.changes > number), age.eq(FABRIC_PERIOD_PS - time)]
            m.d.sync += [before.eq(age + FABRIC_PERIOD_PS), changed_before.eq(changed)]
            ages += [(changed, age), (changed_before, before)]
        now = Signal()
        m.d.comb += now.eq(level ^ self.changes[0])
        m.d.sync += level.eq(now)
        # A tap shows the level of before every change that is younger than its delay.
        m.d.sync += self.taps.eq(
            Cat(
                now ^ Cat(changed & (age < delay) for changed, age in ages).xor()
                for delay in self._delays_ps
            )
        )
        return m
