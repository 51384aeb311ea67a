"""Records that the receiver itself adds to the tag stream: EPOCH and FENCE."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FINE_BITS
from keybeam.protocol.records import CHANNEL_BITS, COARSE_BITS, TYPE_BITS, RecordType

from .events import MergeItem

__all__ = ["EPOCH_UNIT_BITS", "EpochSource", "FenceSource"]

EPOCH_UNIT_BITS = 10
"""The period of EPOCH records is set in units of 2^10 cycles."""

_PERIOD_BITS = 16


def _at(coarse: Value) -> Value:
    """Make the body of a record with this coarse time."""
    return Cat(Const(0, FINE_BITS), coarse)


class EpochSource(wiring.Component):
    """Offers an EPOCH record at cycle 0 and then every `period` units.

    One that is due while the one before has not even been taken is left out.

    Members
    -------
    cycle : In(40)
        Number of the present cycle.
    period : In(16)
        Units of 2^10 cycles between two records (0 works as 1).
    head : Out(stream.Signature(MergeItem))
        The EPOCH record.
    """

    cycle: In(COARSE_BITS)
    period: In(_PERIOD_BITS)
    head: Out(stream.Signature(MergeItem))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit, begins = Signal(COARSE_BITS - EPOCH_UNIT_BITS), Signal()
        m.d.sync += [
            begins.eq(self.cycle[:EPOCH_UNIT_BITS] == 0),
            unit.eq(self.cycle[EPOCH_UNIT_BITS:]),
        ]
        # Units since the last EPOCH; at the very first one more than any period.
        passed, time = Signal(_PERIOD_BITS, init=-1), Signal.like(unit)
        # Known long before a unit begins.
        enough = Signal(init=1)
        m.d.sync += enough.eq((passed >= self.period) | (self.period == 0))
        with m.If(self.head.ready):
            m.d.sync += self.head.valid.eq(0)
        with m.If(begins):
            m.d.sync += passed.eq(passed + 1)
            with m.If(enough):
                m.d.sync += passed.eq(1)
                with m.If(~self.head.valid | self.head.ready):
                    m.d.sync += [time.eq(unit), self.head.valid.eq(1)]
        head = self.head.payload
        m.d.comb += head.record.eq(
            Cat(
                _at(Cat(Const(0, EPOCH_UNIT_BITS), time)),
                Const(0, CHANNEL_BITS),
                Const(RecordType.EPOCH, TYPE_BITS),
            )
        )
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
    waiting : Out(1)
        A record has not left.
    head : Out(stream.Signature(MergeItem))
        Its place, then the record.
    """

    cycle: In(COARSE_BITS)
    request: In(1)
    value: In(32)
    waiting: Out(1)
    head: Out(stream.Signature(MergeItem))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        coarse, body, placed = Signal(COARSE_BITS), Signal(32), Signal()
        with m.If(self.waiting & self.head.ready):
            m.d.sync += [placed.eq(~placed), self.waiting.eq(~placed)]
        with m.If(self.request & ~self.waiting):
            m.d.sync += [coarse.eq(self.cycle), body.eq(self.value), self.waiting.eq(1)]
        head = self.head.payload
        fill = Const(0, FINE_BITS + COARSE_BITS - 32 + CHANNEL_BITS)
        m.d.comb += [self.head.valid.eq(self.waiting), head.silent.eq(~placed)]
        m.d.comb += head.follows.eq(placed)
        with m.If(placed):
            m.d.comb += head.record.eq(Cat(body, fill, Const(RecordType.FENCE, TYPE_BITS)))
        with m.Else():
            m.d.comb += head.record.eq(_at(coarse))
        return m
