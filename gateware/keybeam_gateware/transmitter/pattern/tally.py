"""Counts what was blanked, and keeps where it happened first."""

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import PULSE_INDEX_BITS
from keybeam_gateware.transmitter.layouts import WORD_INDEX_BITS
from keybeam_gateware.transmitter.pattern.layouts import SPACING_BITS

__all__ = ["FirstOffender", "PulseCounter"]

_LOW_BITS = 24
"""Bits of the count that are added in one cycle."""


class FirstOffender(wiring.Component):
    """Keeps the pulse index of the first event since a flag was cleared.

    Members
    -------
    event : In(1)
        It happens in the cycle of `word`.
    flag : In(1)
        The flag that the event sets, one cycle later.
    clear : In(1)
        The flag is cleared in this cycle, unless the event happens.
    word : In(62)
        Index of the cycle: that of the pulse in its slot 0, divided by four.
    index : Out(64)
        Pulse index of the cycle of the first event.
    """

    event: In(1)
    flag: In(1)
    clear: In(1)
    word: In(WORD_INDEX_BITS)
    index: Out(PULSE_INDEX_BITS)

    def elaborate(self, platform):
        m = Module()
        with m.If(self.event & (~self.flag | self.clear)):
            m.d.sync += self.index.eq(Cat(Const(0, 2), self.word))
        return m


class PulseCounter(wiring.Component):
    """Counts the pulses of cycles.

    Members
    -------
    count : In(1)
        Count the pulses of this cycle.
    spacing : In(3)
        Log2 of the slots from pulse to pulse: a cycle that has pulses has four, two or one.
    pulses : Out(64)
        Pulses counted since reset.
    """

    count: In(1)
    spacing: In(SPACING_BITS)
    pulses: Out(unsigned(64))

    def elaborate(self, platform):
        m = Module()
        more = Signal(3)
        several = Mux(self.spacing == 0, 4, Mux(self.spacing == 1, 2, 1))
        # The carry into the upper part waits for a cycle, and with it the lower part.
        low, high, carry = Signal(_LOW_BITS), Signal(len(self.pulses) - _LOW_BITS), Signal()
        m.d.sync += [
            more.eq(Mux(self.count, several, 0)),
            Cat(low, carry).eq(low + more),
            self.pulses[:_LOW_BITS].eq(low),
            high.eq(high + carry),
        ]
        m.d.comb += self.pulses[_LOW_BITS:].eq(high)
        return m
