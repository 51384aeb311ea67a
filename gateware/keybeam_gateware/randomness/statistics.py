"""Counts what happens to random words, and remembers when it first went wrong."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import PULSE_INDEX_BITS
from keybeam_gateware.counters import SnapshotCounter

__all__ = ["FirstOffender", "WaterMarks", "count_events"]


class FirstOffender(wiring.Component):
    """Keeps the pulse index of the first event since a flag was cleared.

    Members
    -------
    event : In(1)
        It happens in this cycle.
    flag : In(1)
        It happened before, and the flag was not cleared since.
    pulse_index : In(64)
        Index of the first pulse of the cycle before.
    first : Out(64)
        That of the first event.
    """

    event: In(1)
    flag: In(1)
    pulse_index: In(PULSE_INDEX_BITS)
    first: Out(PULSE_INDEX_BITS)

    def elaborate(self, platform):
        m = Module()
        is_first = Signal()
        m.d.sync += is_first.eq(self.event & ~self.flag)
        with m.If(is_first):
            m.d.sync += self.first.eq(self.pulse_index)
        return m


class WaterMarks(wiring.Component):
    """Lowest and highest level since they were cleared.

    Parameters
    ----------
    highest : int
        Highest possible level.

    Members
    -------
    level : In(range(highest + 1))
        The level.
    clear : In(1)
        Begin anew with the present level.
    low, high : Out(range(highest + 1))
        Lowest and highest level since then.
    """

    def __init__(self, highest: int) -> None:
        level = range(highest + 1)
        super().__init__(
            {"level": In(level), "clear": In(1), "low": Out(level), "high": Out(level)}
        )

    def elaborate(self, platform):
        m = Module()
        level, begin = Signal.like(self.level), Signal(init=1)
        m.d.sync += [level.eq(self.level), begin.eq(self.clear)]
        with m.If(begin | (level < self.low)):
            m.d.sync += self.low.eq(level)
        with m.If(begin | (level > self.high)):
            m.d.sync += self.high.eq(level)
        return m


def count_events(m: Module, name: str, event, snapshot, field) -> None:
    """Count an event in a 64-bit register that shows the count of the last snapshot.

    Parameters
    ----------
    m : Module
        Where the counter goes.
    name : str
        Name of the counter.
    event, snapshot : Signal
        Count, and copy the count, in this cycle.
    field : csr.action.R
        The register's field.
    """
    m.submodules[f"count_{name}"] = counter = SnapshotCounter(64)
    m.d.comb += [
        counter.increment.eq(event),
        counter.snapshot.eq(snapshot),
        field.r_data.eq(counter.value),
    ]
