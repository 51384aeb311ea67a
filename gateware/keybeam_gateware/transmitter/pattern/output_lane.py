"""The last stages of a lane: polarity, delay, and the safe level."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam.protocol.lanes import LANE_DELAY_BITS
from keybeam.protocol.symbols import SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.pattern.layouts import LANE_SETTINGS

__all__ = ["OUTPUT_LANE_LATENCY", "OUTPUT_LANE_SPAN", "OutputLane"]

_SLOT_BITS = exact_log2(SYMBOLS_PER_WORD)
_STAGES = LANE_DELAY_BITS - _SLOT_BITS

OUTPUT_LANE_LATENCY = 1 + 1 + _STAGES + 1
"""Cycles from `OutputLane.slots` to `OutputLane.line` without a delay: polarity, slot shift, the
stages of the delay by cycles, output."""

OUTPUT_LANE_SPAN = OUTPUT_LANE_LATENCY + (1 << _STAGES)
"""Cycles after which the last bit of a cycle has been on the line, whatever the delay."""


class OutputLane(wiring.Component):
    """Inverts and delays the bits of a lane, and holds it at its idle level where it must.

    Inside, the bits are told as differences from the idle level; so a reset
    or a fault, which empty the delay, leave nothing but the idle level. Delay,
    inversion, idle level and the switching on of a lane are taken up while the
    lane is not `locked`; switched off it is at once.

    Parameters
    ----------
    width : int
        Bits of a slot.

    Members
    -------
    slots : In(4 * width)
        Bits of a cycle, the earliest lowest.
    active : In(1)
        They are to be sent; else the idle level is.
    settings : In(LANE_SETTINGS)
        Settings of the lane.
    locked : In(1)
        The settings must not change now.
    fault : In(1)
        The idle level is forced from the next cycle on.
    line : Out(4 * width)
        What the lane does, `OUTPUT_LANE_LATENCY` cycles and the delay after `slots`; from a
        register.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        super().__init__(
            {
                "slots": In(SYMBOLS_PER_WORD * width),
                "active": In(1),
                "settings": In(LANE_SETTINGS),
                "locked": In(1),
                "fault": In(1),
                "line": Out(SYMBOLS_PER_WORD * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        taken = Signal(LANE_SETTINGS, init={"enable": 1})
        with m.If(~self.locked):
            m.d.sync += taken.eq(self.settings)
        with m.Elif(~self.settings.enable):
            m.d.sync += taken.enable.eq(0)

        # What lies in the delay when a fault comes must not come out after it.
        m.submodules.delay = delay = ResetInserter(self.fault)(_Delay(self._width))
        flip = (taken.invert ^ taken.idle).replicate(len(self.slots))
        m.d.comb += [
            delay.slots.eq(Mux(self.active, self.slots ^ flip, 0)),
            delay.delay.eq(taken.delay),
        ]
        enabled = taken.enable & ~self.fault
        m.d.sync += self.line.eq(
            Mux(enabled, delay.later, 0) ^ taken.idle.replicate(len(self.line))
        )
        return m


class _Delay(wiring.Component):
    """Delays bits by whole slots; a stage of registers for each binary digit of the cycles."""

    def __init__(self, width: int) -> None:
        self._width = width
        super().__init__(
            {
                "slots": In(SYMBOLS_PER_WORD * width),
                "delay": In(LANE_DELAY_BITS),
                "later": Out(SYMBOLS_PER_WORD * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = Signal.like(self.slots, name="given")
        before = Signal.like(self.slots)
        shifted = Signal.like(self.slots)
        m.d.sync += [word.eq(self.slots), before.eq(word)]
        both = Cat(before, word)
        places = [
            both[(SYMBOLS_PER_WORD - slots) * self._width :][: len(word)]
            for slots in range(SYMBOLS_PER_WORD)
        ]
        for slots, place in enumerate(places):
            with m.If(self.delay[:_SLOT_BITS] == slots):
                m.d.sync += shifted.eq(place)
        for digit in range(_STAGES):
            old = shifted
            for cycle in range(1 << digit):
                older = Signal.like(self.slots, name=f"held_{digit}_{cycle}")
                m.d.sync += older.eq(old)
                old = older
            passed = Signal.like(self.slots, name=f"passed_{digit}")
            m.d.sync += passed.eq(Mux(self.delay[_SLOT_BITS + digit], old, shifted))
            shifted = passed
        m.d.comb += self.later.eq(shifted)
        return m
