"""Counters that are read all at one time."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.pipeline import delayed

__all__ = ["SnapshotCounter"]


class SnapshotCounter(wiring.Component):
    """Counts, and holds a copy of the count for reading.

    Each part of the count counts the carries of the part before a cycle later, so that no carry
    runs through all bits; its copy is made a cycle later too.

    Parameters
    ----------
    width : int
        Bits of the count, which starts again from zero after its end.
    part_bits : int
        Bits of a part; the last one has what is left.

    Members
    -------
    increment : In(2)
        Added in every cycle, 0 to 3.
    snapshot : In(1)
        Copy the count to `value`.
    value : Out(width)
        The copy, whole after as many cycles as there are parts.
    """

    def __init__(self, width: int, part_bits: int = 16) -> None:
        self._part_bits = part_bits
        super().__init__({"increment": In(2), "snapshot": In(1), "value": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step, copies = Signal(2), self.snapshot
        m.d.sync += step.eq(self.increment)
        for begin in range(0, len(self.value), self._part_bits):
            copy = self.value[begin : begin + self._part_bits]
            count, carry = Signal(len(copy), name=f"count_{begin}"), Signal(name=f"carry_{begin}")
            m.d.sync += Cat(count, carry).eq(count + step)
            with m.If(copies):
                m.d.sync += copy.eq(count)
            step, copies = carry, delayed(m, copies, 1)
        return m
