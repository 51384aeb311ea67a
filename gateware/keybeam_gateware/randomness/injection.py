"""Spoils the bits of a source on purpose, to see its alarms raised on a running board."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.modes import InjectedFault
from keybeam.randomness import GROUP_BITS, LANES, WORD_BITS
from keybeam_gateware.randomness.layouts import lane_groups, random_layout

__all__ = ["INJECTION_LAYOUT", "FaultInjector"]


INJECTION_LAYOUT = data.StructLayout({"fault": InjectedFault, "lanes": LANES})
"""A fault, and the lanes that have it."""


class FaultInjector(wiring.Component):
    """Replaces the bits of some lanes, and marks all words as not live while it does.

    Members
    -------
    injection : In(INJECTION_LAYOUT)
        The fault.
    raw : In(16)
        Bits of the source.
    raw_valid : In(1)
        There are some in this cycle.
    word : Out(random_layout(16))
        Bits with the fault, a cycle later.
    word_valid : Out(1)
        There are some in this cycle.
    active : Out(1)
        A fault is injected.
    """

    injection: In(INJECTION_LAYOUT)
    raw: In(WORD_BITS)
    raw_valid: In(1)
    word: Out(random_layout(WORD_BITS))
    word_valid: Out(1)
    active: Out(1)

    def elaborate(self, platform):
        m = Module()
        fault = self.injection.fault
        lanes = lane_groups(self.raw)
        kept = lane_groups(self.word.bits)
        spoilt = []
        for number in range(LANES):
            following = lanes[(number + 1) % LANES]
            bits = Signal(GROUP_BITS, name=f"spoilt_{number}")
            m.d.comb += bits.eq(lanes[number])
            with m.If(self.injection.lanes[number]), m.Switch(fault):
                with m.Case(InjectedFault.STUCK_0):
                    m.d.comb += bits.eq(0)
                with m.Case(InjectedFault.STUCK_1):
                    m.d.comb += bits.eq(-1)
                with m.Case(InjectedFault.BIASED):
                    m.d.comb += bits.eq(lanes[number] | following)
                with m.Case(InjectedFault.REPEATING):
                    m.d.comb += bits.eq(kept[number])
                with m.Case(InjectedFault.COPY):
                    m.d.comb += bits.eq(following)
            spoilt.append(bits)
        m.d.comb += self.active.eq(fault != InjectedFault.NONE)
        m.d.sync += [self.word.live.eq(~self.active), self.word_valid.eq(self.raw_valid)]
        with m.If(self.raw_valid):
            m.d.sync += self.word.bits.eq(Cat(spoilt))
        return m
