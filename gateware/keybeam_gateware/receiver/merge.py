"""Time-ordered merge of the channels."""

from itertools import combinations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FINE_BITS
from keybeam.protocol.records import COARSE_BITS

from .events import HeadSignature

__all__ = ["TimeOrderedMerge"]


class TimeOrderedMerge(wiring.Component):
    """Takes records from several sources in the order of their times.

    A source promises that a record shows at its head within `latency` cycles of its time. So once
    a time is more than `latency` cycles past, every record up to it is there: the earliest
    of those may go, and a source without records holds up nobody. Records of equal time go in
    the order of the sources.

    All pairs of heads are compared at once; a record takes four cycles. Times are compared modulo
    2^40 cycles by the sign of their difference: they may lie up to 2^39 cycles (58 minutes) apart,
    so for that long the stream may be held up before the order suffers.

    Parameters
    ----------
    sources : int
        Number of sources.
    latency : int
        Cycles from a record's time until it shows.

    Members
    -------
    cycle : In(40)
        Number of the present cycle.
    enable : In(1)
        Let records out; else they are taken and thrown away.
    heads : In(HeadSignature()).array(sources)
        The sources.
    records : Out(stream(64))
        The records.
    """

    def __init__(self, *, sources: int, latency: int) -> None:
        self._sources = sources
        self._latency = latency
        super().__init__(
            {
                "cycle": In(COARSE_BITS),
                "enable": In(1),
                "heads": In(HeadSignature()).array(sources),
                "records": Out(stream.Signature(64)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        number = range(self._sources)
        bound = Signal(COARSE_BITS)
        m.d.sync += bound.eq(self.cycle - self._latency)

        # Compare: registers that follow the heads all the time; `step` says when they are read.
        present = [Signal(name=f"present_{i}") for i in number]
        due = [Signal(name=f"due_{i}") for i in number]
        before = {}
        for i in number:
            head = self.heads[i]
            m.d.sync += present[i].eq(head.valid)
            m.d.sync += due[i].eq(
                head.valid & (head.key[FINE_BITS:] - bound)[:COARSE_BITS][COARSE_BITS - 1]
            )
        for i, j in combinations(number, 2):
            first = Signal(name=f"first_{i}_{j}")
            key_bits = len(self.heads[i].key)
            difference = (self.heads[j].key - self.heads[i].key)[:key_bits]
            m.d.sync += first.eq(~difference[key_bits - 1])
            before[i, j], before[j, i] = first, ~first

        # Select, then let out.
        chosen = Signal(self._sources)
        for i in number:
            wins = due[i]
            for j in number:
                if j != i:
                    wins &= ~present[j] | before[i, j]
            m.d.sync += chosen[i].eq(wins)
        record = 0
        for i in number:
            record |= Mux(chosen[i], self.heads[i].record, 0)

        out = self.records
        with m.If(out.ready):
            m.d.sync += out.valid.eq(0)
        with m.FSM():
            with m.State("COMPARE"):
                m.next = "SELECT"
            with m.State("SELECT"):
                m.next = "TAKE"
            # `chosen` follows the heads; what is due stays due while the output is held up. The
            # output is waited for by its register alone: `ready` may come late in the cycle.
            with m.State("TAKE"), m.If(~out.valid | ~self.enable):
                m.d.comb += [self.heads[i].pop.eq(chosen[i]) for i in number]
                with m.If(self.enable & chosen.any()):
                    m.d.sync += [out.payload.eq(record), out.valid.eq(1)]
                m.next = "REFILL"
            with m.State("REFILL"):
                m.next = "COMPARE"
        return m
