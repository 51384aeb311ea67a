"""Counts how often each code comes, for the calibration."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.tagger import HISTOGRAM_COUNT_BITS, HISTOGRAM_PAUSE
from keybeam_gateware.pipeline import delayed

__all__ = ["CodeHistogram"]

_PARTS = 8
"""Parts in which a count is compared with its largest value."""


class CodeHistogram(wiring.Component):
    """Code-density histogram in block RAM.

    After an edge that counts, `HISTOGRAM_PAUSE` cycles pass in which none does: whether an edge
    counts so depends on when the one before came, never on its own code. With pulses at a steady
    rate that are all nearer to each other, edges of one direction alone may count: so each
    direction is counted for itself. Counts stop at their largest value.

    Parameters
    ----------
    entries : int
        Codes, a power of two.

    Members
    -------
    run : In(1)
        Edges count.
    clear : In(1)
        Sets all counts to zero, which takes `entries` cycles; only while nothing counts.
    busy : Out(1)
        Counts are being set to zero, or an edge is being counted.
    found : In(1)
        There is an edge.
    code : In
        Its code.
    address : In
        Code whose count is read, while nothing counts and nothing is cleared.
    count : Out(32)
        Its count, `READ_LATENCY` cycles later.
    """

    READ_LATENCY = 3
    """Cycles from an address to its count."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        super().__init__(
            {
                "run": In(1),
                "clear": In(1),
                "busy": Out(1),
                "found": In(1),
                "code": In(range(entries)),
                "address": In(range(entries)),
                "count": Out(HISTOGRAM_COUNT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # No logic behind the block RAM that would give what stood there before a write.
        m.submodules.counts = counts = memory.Memory(
            shape=HISTOGRAM_COUNT_BITS, depth=self._entries, init=[], attrs={"no_rw_check": 1}
        )
        writer, reader = counts.write_port(), counts.read_port(domain="comb")
        address = Signal(range(self._entries))
        read = Signal(HISTOGRAM_COUNT_BITS, reset_less=True)
        settled = Signal(HISTOGRAM_COUNT_BITS, reset_less=True)
        m.d.comb += [reader.addr.eq(address), self.count.eq(settled)]
        m.d.sync += [read.eq(reader.data), settled.eq(read)]

        pause, clearing = Signal(range(HISTOGRAM_PAUSE + 1)), Signal()
        sweep = Signal(range(self._entries))
        more, full = Signal(HISTOGRAM_COUNT_BITS), Signal(_PARTS)
        take = self.run & self.found & (pause == 0) & ~clearing
        # The count is read two cycles after the address stands, added to in the third.
        m.d.sync += [
            more.eq(settled + 1),
            *(full[part].eq(settled[part::_PARTS].all()) for part in range(_PARTS)),
            writer.en.eq(delayed(m, take, self.READ_LATENCY + 1) | clearing),
            writer.addr.eq(Mux(clearing, sweep, address)),
            # What is full stays so.
            writer.data.eq(Mux(clearing, 0, more | full.all().replicate(len(more)))),
        ]
        with m.If(take):
            m.d.sync += [address.eq(self.code), pause.eq(HISTOGRAM_PAUSE)]
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        with m.Else():
            m.d.sync += address.eq(self.address)
        with m.If(clearing):
            m.d.sync += [sweep.eq(sweep + 1), clearing.eq(sweep != self._entries - 1)]
        with m.Elif(self.clear):
            m.d.sync += [clearing.eq(1), sweep.eq(0)]
        m.d.comb += self.busy.eq(clearing | (pause != 0))
        return m
