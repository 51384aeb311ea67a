"""First-in first-out memory for items that may be some cycles apart."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["PacedFifo"]


class PacedFifo(wiring.Component):
    """Keeps items in a block RAM, and gives one every third cycle at most.

    That leaves the time for the block RAM's output register, without a queue behind it.

    Parameters
    ----------
    shape : shape-like
        An item.
    depth : int
        Items that are kept at most, a power of two.

    Attributes
    ----------
    memory : Memory
        The items.
    write_address, read_address : Signal
        Where the next item goes, and where the oldest is.
    fetched : Signal
        What was read from the memory, on its way to the output.
    fresh : Signal
        `fetched` is the oldest item, and will be given in the next cycle.

    Members
    -------
    input : In(stream.Signature(shape))
        Items.
    level : Out(range(depth + 1))
        Items kept.
    output : Out(stream.Signature(shape))
        The oldest item, from registers.
    """

    def __init__(self, shape, *, depth: int) -> None:
        self._depth = depth
        self.memory = Memory(shape=shape, depth=depth, init=[], attrs={"no_rw_check": 1})
        self.write_address, self.read_address = (Signal(exact_log2(depth)) for _ in range(2))
        self.fetched = Signal(shape, reset_less=True)
        self.fresh = Signal()
        super().__init__(
            {
                "input": In(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
                "output": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = self.memory
        write, read = self.memory.write_port(), self.memory.read_port(domain="comb")
        given = Signal(self.fetched.shape(), reset_less=True)
        accept, taken = Signal(), Signal()
        m.d.comb += [
            accept.eq(self.input.valid & self.input.ready),
            taken.eq(self.output.valid & self.output.ready),
            write.en.eq(accept),
            write.addr.eq(self.write_address),
            write.data.eq(self.input.payload),
            read.addr.eq(self.read_address),
            self.output.payload.eq(given),
        ]
        m.d.sync += [
            # Does not know of an item that comes in this cycle, so it leaves room for that.
            self.input.ready.eq(self.level < self._depth - 1),
            self.write_address.eq(self.write_address + accept),
            self.read_address.eq(self.read_address + taken),
            self.level.eq(self.level + accept - taken),
            self.fetched.eq(read.data),
            given.eq(self.fetched),
            self.fresh.eq((self.level != 0) & ~taken),
            self.output.valid.eq(self.fresh & ~taken),
        ]
        return m
