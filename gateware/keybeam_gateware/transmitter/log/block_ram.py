"""Block RAM behind the memory port of the state log."""

from amaranth import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from keybeam_gateware.transmitter.log.memory_port import MemoryPort
from keybeam_gateware.transmitter.log.symbol_ring import RING_LATENCY, SymbolRing

__all__ = ["BlockRam"]


class BlockRam(wiring.Component):
    """Memory of lines of one word, which takes a write and a read in every cycle.

    Parameters
    ----------
    frames : int
        Depth in frames, a power of two.
    frame_words : int
        Words of a frame, a power of two.

    Members
    -------
    port : In(MemoryPort(frames * frame_words, 1))
        A read is answered `RING_LATENCY` cycles after it was taken.
    """

    def __init__(self, frames: int, frame_words: int) -> None:
        self._ring = SymbolRing(frames, frame_words)
        super().__init__({"port": In(MemoryPort(frames * frame_words, 1))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = self._ring
        write, read = self.port.write, self.port.read
        due = Signal(RING_LATENCY)
        m.d.sync += due.eq(due << 1 | read.enable)
        m.d.comb += [
            ring.write.eq(write.enable),
            ring.write_address.eq(write.address),
            ring.write_symbols.eq(write.line),
            write.taken.eq(Const(1)),
            ring.read_address.eq(read.address),
            read.taken.eq(Const(1)),
            read.answered.eq(due[-1]),
            read.line.eq(ring.read_symbols),
            self.port.initialised.eq(Const(1)),
            self.port.passed.eq(Const(1)),
        ]
        return m
