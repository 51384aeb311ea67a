"""Records that the receiver itself adds to the tag stream: EPOCH and FENCE."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FINE_BITS
from keybeam.protocol.records import CHANNEL_BITS, COARSE_BITS, TYPE_BITS, RecordType

from .events import HeadSignature

__all__ = ["EPOCH_UNIT_BITS", "EpochSource", "FenceSource"]

EPOCH_UNIT_BITS = 10
"""The period of EPOCH records is set in units of 2^10 cycles."""


class EpochSource(wiring.Component):
    """Offers an EPOCH record at cycle 0 and then every `period` units.

    The next one is always on offer; the merge takes it when nothing earlier can come any more.

    Members
    -------
    period : In(16)
        Units of 2^10 cycles between two records (0 works as 1).
    head : Out(HeadSignature())
        The next EPOCH record.
    """

    period: In(16)
    head: Out(HeadSignature())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        coarse, step = Signal(COARSE_BITS), Signal(16, init=1)
        m.d.sync += step.eq(self.period)
        with m.If(self.period == 0):
            m.d.sync += step.eq(1)
        with m.If(self.head.pop):
            m.d.sync += coarse.eq(coarse + (step << EPOCH_UNIT_BITS))
        time = Cat(Const(0, FINE_BITS), coarse)
        m.d.comb += [
            self.head.valid.eq(1),
            self.head.key.eq(time),
            self.head.record.eq(
                Cat(time, Const(0, CHANNEL_BITS), Const(RecordType.EPOCH, TYPE_BITS))
            ),
        ]
        return m


class FenceSource(wiring.Component):
    """Offers a FENCE record that takes its place at the cycle in which it was asked for.

    All records of earlier events are then in front of it, all of later ones behind. A further
    request before it has left is ignored.

    Members
    -------
    cycle : In(40)
        Number of the present cycle.
    request : In(1)
        Ask for a record.
    value : In(32)
        Body of the record.
    head : Out(HeadSignature())
        The record.
    """

    cycle: In(COARSE_BITS)
    request: In(1)
    value: In(32)
    head: Out(HeadSignature())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        coarse, body = Signal(COARSE_BITS), Signal(32)
        with m.If(self.head.pop):
            m.d.sync += self.head.valid.eq(0)
        with m.If(self.request & ~self.head.valid):
            m.d.sync += [coarse.eq(self.cycle), body.eq(self.value), self.head.valid.eq(1)]
        fill = Const(0, FINE_BITS + COARSE_BITS - 32 + CHANNEL_BITS)
        m.d.comb += [
            self.head.key.eq(Cat(Const(0, FINE_BITS), coarse)),
            self.head.record.eq(Cat(body, fill, Const(RecordType.FENCE, TYPE_BITS))),
        ]
        return m
