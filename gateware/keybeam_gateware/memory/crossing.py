"""Carries words from the clock of the logic to that of the memory."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["Crossing"]


def _to_gray(value):
    return value ^ (value >> 1)


def _from_gray(value):
    return Cat(value[place:].xor() for place in range(len(value)))


class Crossing(wiring.Component):
    """Takes a word in any cycle of ``sync``, and offers it in ``dram``.

    It does not look whether it has room: who writes looks at `level`. A queue that looked would be
    slower than the rest of the logic. A reset of either clock leaves it as it is.

    Parameters
    ----------
    shape : shape-like
        A word.
    depth : int
        Words that it holds, a power of two.

    Members
    -------
    write : In(1)
        Take `word` in this cycle; only while fewer than `depth` are held.
    word : In(shape)
    level : Out(range(depth + 1))
        Words held, at most: those written in the last two cycles are not among them yet, and
        those read lately still are.
    output : Out(stream.Signature(shape))
        In ``dram``: the words.
    """

    def __init__(self, shape, *, depth: int) -> None:
        self._shape, self._depth = shape, depth
        super().__init__(
            {
                "write": In(1),
                "word": In(shape),
                "level": Out(range(depth + 1)),
                "output": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = exact_log2(self._depth) + 1
        m.submodules.memory = memory = Memory(shape=self._shape, depth=self._depth, init=[])
        write, read = memory.write_port(), memory.read_port(domain="dram")
        written, read_here = (Signal(bits, reset_less=True) for _ in range(2))
        written_gray, read_gray = (Signal(bits, reset_less=True) for _ in range(2))
        m.d.comb += [
            write.addr.eq(written),
            write.data.eq(self.word),
            write.en.eq(self.write),
        ]
        with m.If(self.write):
            m.d.sync += [written.eq(written + 1), written_gray.eq(_to_gray((written + 1)[:bits]))]

        arrived = Signal(bits)
        m.submodules.written_there = FFSynchronizer(written_gray, arrived, o_domain="dram")
        following = Signal(bits)
        m.d.comb += [
            self.output.valid.eq(arrived != read_gray),
            self.output.payload.eq(read.data),
            following.eq(read_here + (self.output.valid & self.output.ready)),
            read.addr.eq(following),
        ]
        m.d.dram += [read_here.eq(following), read_gray.eq(_to_gray(following))]

        left, left_count = Signal(bits), Signal(bits)
        m.submodules.read_back = FFSynchronizer(read_gray, left)
        m.d.sync += [
            left_count.eq(_from_gray(left)),
            self.level.eq((written - left_count)[:bits]),
        ]
        return m
