"""A pulse for other instruments, every so many slots."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.symbols import SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.layouts import CYCLE_BITS

__all__ = ["MARKER_LATENCY", "Marker"]

MARKER_LATENCY = 3
"""Cycles from `Marker.cycle` to `Marker.marker`."""


class Marker(wiring.Component):
    """Marks slot 0 of every frame, and every 2^interval slots from there.

    Members
    -------
    cycle : In(14)
        Cycle in the frame.
    interval : In(5)
        Log2 of the slots from mark to mark; 16 or more: one in a frame.
    marker : Out(4)
        Slots of the cycle that are marked, `MARKER_LATENCY` cycles later.
    """

    cycle: In(CYCLE_BITS)
    interval: In(5)
    marker: Out(SYMBOLS_PER_WORD)

    def elaborate(self, platform):
        m = Module()
        counts, rest = Signal(CYCLE_BITS), Signal(CYCLE_BITS)
        hit = Signal()
        m.d.sync += [
            counts.eq(Cat(self.interval > bit + 2 for bit in range(CYCLE_BITS))),
            rest.eq(self.cycle & counts),
            hit.eq(rest == 0),
            self.marker[0].eq(hit),
            self.marker[1].eq(hit & (self.interval == 0)),
            self.marker[2].eq(hit & (self.interval <= 1)),
            self.marker[3].eq(hit & (self.interval == 0)),
        ]
        return m
