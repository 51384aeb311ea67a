"""Counts line bits and frames, and lets the pattern start and stop at frame borders only."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam.protocol.numbers import FRAME_CYCLES
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam_gateware.transmitter.layouts import TIME_LAYOUT

__all__ = ["Timebase"]


class Timebase(wiring.Component):
    """The cycle within a frame, the frame counter, and whether the pattern runs.

    The frame counter counts always. What `run`, `start_counter` and
    `stop_after` ask for is taken up at the next frame border: it is looked at
    in the last but one cycle of a frame.

    Parameters
    ----------
    frame_cycles : int
        Cycles of a frame, a power of two of at least 4.

    Members
    -------
    run : In(1)
        The pattern shall run.
    start_counter : In(48)
        Frame counter of the first frame when the pattern starts.
    stop_after : In(32)
        Stop by itself after this many frames; 0 never. Looked at when the pattern starts.
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
        with m.If(decide):
            m.d.sync += [
                start.eq(~self.time.running & self.run & ~self.finished),
                stop.eq(self.time.running & (~self.run | last)),
            ]
        with m.If(border):
            m.d.sync += [
                self.time.frame.eq(Mux(start, self.start_counter, following)),
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
