"""Tells when edges come too often."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.tagger import RATE_WINDOW_BITS
from keybeam_gateware.pipeline import delayed

__all__ = ["RateAlarm"]


class RateAlarm(wiring.Component):
    """Count edges in windows one after the other, and compare with a limit.

    A detector that is too bright, oscillates or is being blinded shows in its rate before its dead
    time or the link hides it.

    Parameters
    ----------
    window_bits : int
        A window lasts 2^window_bits cycles.

    Members
    -------
    edge : In(1)
        There is an edge.
    limit : In
        Most edges of a window without alarm; 0 for no alarm.
    count : Out
        Edges in the last whole window.
    alarm : Out(1)
        In one cycle at the end of a window that had more.
    """

    def __init__(self, window_bits: int = RATE_WINDOW_BITS) -> None:
        self._window_bits = window_bits
        width = window_bits + 1
        super().__init__({"edge": In(1), "limit": In(width), "count": Out(width), "alarm": Out(1)})

    def elaborate(self, platform):
        m = Module()
        place, last = Signal(self._window_bits), Signal()
        edges, over = Signal(self._window_bits + 1), Signal()
        m.d.sync += [place.eq(place + 1), last.eq(place == (1 << self._window_bits) - 2)]
        with m.If(last):
            m.d.sync += [self.count.eq(edges + self.edge), edges.eq(0)]
        with m.Else():
            m.d.sync += edges.eq(edges + self.edge)
        # The count stands a cycle after the last one of its window, the comparison three.
        left, limited = Signal(signed(self._window_bits + 2)), Signal()
        m.d.sync += [
            left.eq(self.limit - self.count),
            limited.eq(self.limit.any()),
            over.eq((left < 0) & limited),
        ]
        m.d.comb += self.alarm.eq(over & delayed(m, last, 3))
        return m
