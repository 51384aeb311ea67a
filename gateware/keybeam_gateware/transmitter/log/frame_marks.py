"""What the state log remembers of whole frames."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["MARKS_LATENCY", "MARK_LAYOUT", "FrameMarks"]

MARK_LAYOUT = data.StructLayout({"not_key": 1, "lost": 1})
"""Marks of a frame: it cannot become key; a part of it could not be kept."""

MARKS_LATENCY = 2
"""Cycles from `FrameMarks.read_frame` to `FrameMarks.mark`."""


class FrameMarks(wiring.Component):
    """Memory of the marks of frames.

    Parameters
    ----------
    frames : int
        Number of frames, a power of two. It must be more than the memory of the symbols holds,
        since a frame can be read in part after a newer one began to overwrite it.

    Members
    -------
    write : In(1)
        Write `write_mark` for `write_frame`.
    write_frame : In(range(frames))
    write_mark : In(MARK_LAYOUT)
    read_frame : In(range(frames))
    mark : Out(MARK_LAYOUT)
        What stood for `read_frame` `MARKS_LATENCY` cycles ago; undefined if any mark was written
        in that same cycle.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        address = exact_log2(frames)
        super().__init__(
            {
                "write": In(1),
                "write_frame": In(address),
                "write_mark": In(MARK_LAYOUT),
                "read_frame": In(address),
                "mark": Out(MARK_LAYOUT),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=MARK_LAYOUT, depth=self._frames, init=[], attrs={"no_rw_check": 1}
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        fetched = Signal(MARK_LAYOUT, reset_less=True)
        output = Signal(MARK_LAYOUT, reset_less=True)
        m.d.comb += [
            write.addr.eq(self.write_frame),
            write.data.eq(self.write_mark),
            write.en.eq(self.write),
            read.addr.eq(self.read_frame),
            self.mark.eq(output),
        ]
        m.d.sync += [fetched.eq(read.data), output.eq(fetched)]
        return m
