"""Counters that are read all at one time."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SnapshotCounter"]


class SnapshotCounter(wiring.Component):
    """Counts, and holds a copy of the count for reading.

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
        The copy.
    """

    def __init__(self, width: int) -> None:
        super().__init__({"increment": In(2), "snapshot": In(1), "value": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count, increment = Signal.like(self.value), Signal(2)
        m.d.sync += [increment.eq(self.increment), count.eq(count + increment)]
        with m.If(self.snapshot):
            m.d.sync += self.value.eq(count)
        return m
