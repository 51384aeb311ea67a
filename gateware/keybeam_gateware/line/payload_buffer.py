"""Bytes that wait for a downlink frame."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["PayloadBuffer"]


class PayloadBuffer(wiring.Component):
    """First-in, first-out buffer in block RAM that tells how many bytes it holds.

    Parameters
    ----------
    depth : int
        Bytes of the memory, a power of two of at least 8. It stops taking bytes three before it
        is full, because those on their way are not counted yet.

    Members
    -------
    payload : In(stream.Signature(unsigned(8)))
        Bytes to keep.
    level : Out(range(depth + 1))
        Bytes it holds.
    oldest : Out(8)
        The oldest byte; follows a `take`, and a rise of `level` from 0, after three cycles.
    take : In(1)
        Drop the oldest byte; only while `level` is not 0.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        super().__init__(
            {
                "payload": In(stream.Signature(8)),
                "level": Out(range(depth + 1)),
                "oldest": Out(8),
                "take": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # As in the symbol ring: a read port with its register written out, and one more behind it.
        m.submodules.memory = memory = Memory(
            shape=8, depth=self._depth, init=[], attrs={"no_rw_check": 1}
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        fetched, oldest = Signal(8, reset_less=True), Signal(8, reset_less=True)
        newest_address, oldest_address = (Signal(exact_log2(self._depth)) for _ in range(2))
        entered = Signal()
        entered_byte = Signal(8)
        m.d.comb += [
            write.addr.eq(newest_address),
            write.data.eq(entered_byte),
            write.en.eq(entered),
            read.addr.eq(oldest_address),
            self.oldest.eq(oldest),
        ]
        m.d.sync += [
            self.payload.ready.eq(self.level < self._depth - 3),
            entered.eq(self.payload.valid & self.payload.ready),
            entered_byte.eq(self.payload.payload),
            newest_address.eq(newest_address + entered),
            oldest_address.eq(oldest_address + self.take),
            self.level.eq(self.level + entered - self.take),
            fetched.eq(read.data),
            oldest.eq(fetched),
        ]
        return m
