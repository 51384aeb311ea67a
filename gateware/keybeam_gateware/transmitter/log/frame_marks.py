"""What the state log remembers of whole frames."""

from amaranth import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam_gateware.pipeline import delayed

__all__ = ["MARKS_LATENCY", "MARK_LAYOUT", "FrameMarks"]

MARK_LAYOUT = data.StructLayout({"not_key": 1, "lost": 1})
"""Marks of a frame: it cannot become key; a part of it could not be kept."""

MARKS_LATENCY = 3
"""Cycles from `FrameMarks.read_frame` to `FrameMarks.mark`."""

_BANK_FRAMES = 8192
"""Marks in a block RAM. Where there are several, what chooses between them stands behind their
output registers, not before."""


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
        size = min(self._frames, _BANK_FRAMES)
        bits = exact_log2(size)
        marks = [
            self._bank(m, number, size, self.write_frame[bits:] == number)
            for number in range(self._frames // size)
        ]
        chosen = delayed(m, self.read_frame[bits:], MARKS_LATENCY - 1)
        m.d.sync += self.mark.eq(Array(marks)[chosen] if len(marks) > 1 else marks[0])
        return m

    def _bank(self, m, number, size, chosen):
        """Keep a part of the frames; gives their marks two cycles after `read_frame`."""
        memory = Memory(shape=MARK_LAYOUT, depth=size, init=[], attrs={"no_rw_check": 1})
        m.submodules[f"bank_{number}"] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        fetched, mark = (Signal(MARK_LAYOUT, reset_less=True) for _ in range(2))
        m.d.comb += [
            write.addr.eq(self.write_frame),
            write.data.eq(self.write_mark),
            write.en.eq(self.write & chosen),
            read.addr.eq(self.read_frame),
        ]
        m.d.sync += [fetched.eq(read.data), mark.eq(fetched)]
        return mark
