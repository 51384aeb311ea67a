"""The lane blocks in plain logic, for simulators that know no vendor cell.

They behave as those of a family do, on a clock domain ``slot`` at four times
``sync``, whose rising edges coincide with those of ``sync``.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import SLOTS_PER_CYCLE

__all__ = ["LaneDeserialiser", "LaneSerialiser"]


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
