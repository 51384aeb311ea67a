"""Counts events by their phase in the slot, for a live picture and to choose the gate."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.slot_phase import HISTOGRAM_BINS, PHASE_COUNT_BITS, SLOT_PHASE_BITS
from keybeam_gateware.pipeline import delayed

__all__ = ["PhaseHistogram"]

_PARTS = 4
"""Parts in which a count is compared with its largest value."""


class PhaseHistogram(wiring.Component):
    """Histogram of 1024 bins in block RAM that counts, is read, and goes on counting.

    One for each channel, fed by its `EventGate` with all events, whether they pass or not. After
    an event that counts, `PAUSE` cycles (45 ns) pass in which none does; the same after a count is
    read. Events then are told by `skipped`: whether an event counts depends on when the
    one before came, not on its own phase, so the shape of the histogram is right at any rate.
    Counts stop at their largest value.

    Reading needs no halt: the host reads a bin by writing its number and reading the count, and
    subtracts what it read before. Registers a channel: `run`, `clear` (write), `busy` (read),
    `address` (10 bits; `read` is the strobe of its write), `count` (32 bits, read); a
    counter of 64 bits of `skipped`.

    Parameters
    ----------
    count_bits : int
        Bits of a count.

    Members
    -------
    run : In(1)
        Events count.
    clear : In(1)
        Sets all counts to zero, which takes 1024 cycles; events of this time are skipped.
    busy : Out(1)
        Counts are being set to zero.
    slot_valid, slot_phase : In(1), In(12)
        There is an event, and its phase in 2^-12 slot; four to a bin.
    skipped : Out(1)
        An event did not count although `run` is set.
    address : In(10)
        Bin to read; constant from `read` on.
    read : In(1)
        Fetch its count; at most every `READ_LATENCY` cycles.
    count : Out(count_bits)
        Count of the bin that was read last, at most `READ_LATENCY` cycles after `read`.
    """

    PAUSE = 7
    """Cycles after an event or a reading in which no event counts."""
    READ_LATENCY = 16
    """Most cycles from `read` to the count."""

    def __init__(self, *, count_bits: int = PHASE_COUNT_BITS) -> None:
        self._count_bits = count_bits
        super().__init__(
            {
                "run": In(1),
                "clear": In(1),
                "busy": Out(1),
                "slot_valid": In(1),
                "slot_phase": In(SLOT_PHASE_BITS),
                "skipped": Out(1),
                "address": In(range(HISTOGRAM_BINS)),
                "read": In(1),
                "count": Out(count_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # No logic behind the block RAM that would give what stood there before a write.
        m.submodules.counts = counts = memory.Memory(
            shape=self._count_bits, depth=HISTOGRAM_BINS, init=[], attrs={"no_rw_check": 1}
        )
        writer, reader = counts.write_port(), counts.read_port(domain="comb")
        address = Signal(range(HISTOGRAM_BINS))
        fetched = Signal(self._count_bits, reset_less=True)
        settled = Signal(self._count_bits, reset_less=True)
        m.d.comb += reader.addr.eq(address)
        m.d.sync += [fetched.eq(reader.data), settled.eq(fetched)]

        place = self.slot_phase[SLOT_PHASE_BITS - len(address) :]
        pause, free, wanted = Signal(range(self.PAUSE + 1)), Signal(init=1), Signal()
        take, fetch = Signal(), Signal()
        m.d.comb += [
            fetch.eq(wanted & free),
            take.eq(self.run & self.slot_valid & free & ~wanted & ~self.busy),
        ]
        m.d.sync += self.skipped.eq(self.run & self.slot_valid & ~take)
        with m.If(take | fetch):
            m.d.sync += [
                address.eq(Mux(fetch, self.address, place)),
                pause.eq(self.PAUSE),
                free.eq(0),
            ]
        with m.Elif(~free):
            m.d.sync += [pause.eq(pause - 1), free.eq(pause == 1)]
        with m.If(self.read):
            m.d.sync += wanted.eq(1)
        with m.Elif(fetch):
            m.d.sync += wanted.eq(0)
        # Two cycles after the address the count stands, a cycle later what is written.
        with m.If(delayed(m, fetch, 3)):
            m.d.sync += self.count.eq(settled)
        more, full = Signal(self._count_bits), Signal(_PARTS)
        m.d.sync += [
            more.eq(settled + 1),
            *(full[part].eq(settled[part::_PARTS].all()) for part in range(_PARTS)),
        ]

        sweep = Signal(range(HISTOGRAM_BINS))
        last = Signal()
        m.d.sync += [
            writer.en.eq(delayed(m, take, 4) | self.busy),
            writer.addr.eq(Mux(self.busy, sweep, address)),
            # What is full stays so.
            writer.data.eq(Mux(self.busy, 0, more | full.all().replicate(len(more)))),
            last.eq(sweep == HISTOGRAM_BINS - 2),
        ]
        with m.If(self.busy):
            m.d.sync += sweep.eq(sweep + 1)
            with m.If(last):
                m.d.sync += self.busy.eq(0)
        with m.Elif(self.clear):
            m.d.sync += self.busy.eq(1)
        return m
