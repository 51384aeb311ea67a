"""Counters that are read all at one time."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SnapshotCounter"]


class SnapshotCounter(wiring.Component):
    """Counts, and holds a copy of the count for reading.

    The upper half counts the carries of the lower one a cycle later, so that no carry runs through
    all bits.

    Parameters
    ----------
    width : int
        Bits of the count, which starts again from zero after its end.

    Members
    -------
    increment : In(2)
        Added in every cycle, 0 to 3.
    snapshot : In(1)
        Copy the count to `value`.
    value : Out(width)
        The copy, whole two cycles later.
    """

    def __init__(self, width: int) -> None:
        super().__init__({"increment": In(2), "snapshot": In(1), "value": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        half = len(self.value) // 2
        low, high = Signal(half), Signal(len(self.value) - half)
        increment, carry, later = Signal(2), Signal(), Signal()
        m.d.sync += [
            increment.eq(self.increment),
            Cat(low, carry).eq(low + increment),
            high.eq(high + carry),
            later.eq(self.snapshot),
        ]
        with m.If(self.snapshot):
            m.d.sync += self.value[:half].eq(low)
        with m.If(later):
            m.d.sync += self.value[half:].eq(high)
        return m
