"""Counts line bits and frames, and lets the pattern start and stop at frame borders only."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam.protocol.modes import StartCondition
from keybeam.protocol.numbers import FRAME_CYCLES
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam.protocol.symbols import SYMBOLS_PER_WORD
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.transmitter.layouts import TIME_LAYOUT, WORD_INDEX_BITS
from keybeam_gateware.transmitter.pattern.layouts import START_SIGNATURE

__all__ = ["Timebase"]

_SLOT_BITS = exact_log2(SYMBOLS_PER_WORD)
_COMPARED_BITS = 8
"""Bits of the frame counter that are compared together."""


class Timebase(wiring.Component):
    """The cycle within a frame, the frame counter, and whether the pattern runs.

    The frame counter counts always. What `run`, `start_counter`, `stop_after`
    and the start condition ask for is taken up at the next frame border: it is
    looked at in the last but one cycle of a frame.

    With start condition PPS the first rising edge of `pps` after `run` went
    high is waited for; with FRAME, the frame whose counter is `start.frame`,
    and the counter goes on from there instead of at `start_counter`.

    Parameters
    ----------
    frame_cycles : int
        Cycles of a frame, a power of two of at least 16.

    Members
    -------
    run : In(1)
        The pattern shall run.
    start_counter : In(48)
        Frame counter of the first frame when the pattern starts.
    stop_after : In(32)
        Stop by itself after this many frames; 0 never. Looked at when the pattern starts.
    pps : In(4)
        Samples of the pulse-per-second input in this cycle, the earliest lowest.
    start : In(START_SIGNATURE)
        Start condition, and what came of it.
    time : Out(TIME_LAYOUT)
        Where this cycle stands.
    finished : Out(1)
        The pattern stopped by itself; it starts again after `run` was low.
    """

    def __init__(self, frame_cycles: int = FRAME_CYCLES) -> None:
        self._cycle_bits = exact_log2(frame_cycles)
        super().__init__(
            {
                "run": In(1),
                "start_counter": In(FRAME_COUNTER_BITS),
                "stop_after": In(32),
                "pps": In(SYMBOLS_PER_WORD),
                "start": In(START_SIGNATURE),
                "time": Out(TIME_LAYOUT),
                "finished": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        cycle = Signal(self._cycle_bits)
        decide, border = Signal(), Signal()
        m.d.comb += self.time.cycle.eq(cycle)
        m.d.sync += [
            cycle.eq(cycle + 1),
            decide.eq(cycle == (1 << self._cycle_bits) - 3),
            border.eq(decide),
            self.time.first.eq(0),
        ]

        following = Signal(FRAME_COUNTER_BITS)
        left = Signal(unsigned(32))
        limited, last = Signal(), Signal()
        m.d.sync += [
            following.eq(self.time.frame + 1),
            last.eq(limited & (left == 1)),
        ]

        start, stop = Signal(), Signal()
        met = self._condition(m, following)
        waits = ~self.time.running & self.run & ~self.finished
        m.d.sync += self.start.armed.eq(waits)
        with m.If(decide):
            m.d.sync += [
                start.eq(waits & met),
                stop.eq(self.time.running & (~self.run | last)),
            ]
        keeps_counting = self.start.condition == StartCondition.FRAME
        with m.If(border):
            m.d.sync += [
                self.time.frame.eq(Mux(start & ~keeps_counting, self.start_counter, following)),
                self.time.running.eq((self.time.running | start) & ~stop),
                self.time.first.eq(start),
            ]
            with m.If(start):
                m.d.sync += [left.eq(self.stop_after), limited.eq(self.stop_after != 0)]
            with m.Else():
                m.d.sync += left.eq(left - 1)

        with m.If(~self.run):
            m.d.sync += self.finished.eq(0)
        with m.Elif(border & stop & last):
            m.d.sync += self.finished.eq(1)
        return m

    def _condition(self, m, following):
        """Give whether the pattern may start at the border that follows."""
        seen = self._find_edges(m)
        parts = [
            following[begin : begin + _COMPARED_BITS]
            == self.start.frame[begin : begin + _COMPARED_BITS]
            for begin in range(0, FRAME_COUNTER_BITS, _COMPARED_BITS)
        ]
        reached = delayed(m, delayed(m, Cat(parts), 1).all(), 1)
        met = Signal()
        with m.Switch(self.start.condition):
            with m.Case(StartCondition.PPS):
                m.d.comb += met.eq(seen)
            with m.Case(StartCondition.FRAME):
                m.d.comb += met.eq(reached)
            with m.Default():
                m.d.comb += met.eq(1)
        return met

    def _find_edges(self, m):
        """Find rising edges of the pulse-per-second input; give whether one was waited for."""
        samples, before = Signal(SYMBOLS_PER_WORD), Signal()
        word = Signal(WORD_INDEX_BITS)
        m.d.sync += [
            samples.eq(self.pps),
            before.eq(samples[-1]),
            word.eq(delayed(m, Cat(self.time.cycle, self.time.frame), 1)),
        ]
        rising = samples & ~Cat(before, samples[:-1])
        edge = Signal()
        slot = Signal(_SLOT_BITS)
        m.d.sync += edge.eq(rising.any())
        for place in reversed(range(SYMBOLS_PER_WORD)):
            with m.If(rising[place]):
                m.d.sync += slot.eq(place)

        # Slots from the edge to slot 0 of this cycle; an edge is seen two cycles after it came.
        seen = Signal()
        lead = Signal.like(self.start.pps_lead)
        asked = delayed(m, self.run, 1)
        m.d.sync += seen.eq(self.run & asked & ~self.time.running & (seen | edge))
        with m.If(edge):
            m.d.sync += self.start.pps_index.eq(Cat(slot, word))
        with m.If(edge & ~seen):
            m.d.sync += lead.eq(3 * SYMBOLS_PER_WORD - slot)
        with m.Else():
            m.d.sync += lead.eq(lead + SYMBOLS_PER_WORD)
        with m.If(self.time.first):
            m.d.sync += self.start.pps_lead.eq(lead)
        return seen
