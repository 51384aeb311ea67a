"""Carries lines between the clock of the log and that of the memory."""

from amaranth import DomainRenamer, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam_gateware.memory.crossing import Crossing
from keybeam_gateware.memory.native import NativePort
from keybeam_gateware.transmitter.log.memory_port import WORD_BITS, MemoryPort

__all__ = ["LineBridge"]

_CROSSING = 16
"""Requests in the crossing: few, so that its pointers are short and fast."""
_MARGIN = 8
"""Requests for which there must be room when one is taken, since the level is known late."""
_WAITING = 128
"""Writes and reads that can wait for the memory besides: a refresh of 2 µs keeps 40 waiting."""
_WRITES = 32
"""Writes whose command the core took and whose data it has not asked for yet, at most."""


class LineBridge(wiring.Component):
    """Memory port in the domain ``sync``, native port in the domain ``dram``.

    Writes and reads wait in one queue, so that a read sees just the writes that were taken
    before it.

    Parameters
    ----------
    lines : int
        Lines of the memory, a power of two.
    line_words : int
        Words of a line.
    address_bits : int
        Bits of the address of the native port; what it can address beyond `lines` is not used.

    Members
    -------
    port : In(MemoryPort(lines, line_words))
        In ``sync``. At most one read may be under way.
    native : Out(NativePort(address_bits, WORD_BITS * line_words))
        In ``dram``.
    initialised, passed : In(1)
        In ``dram``: the memory was made ready, and passed its test. Requests are taken only then.
    """

    def __init__(self, lines: int, line_words: int, address_bits: int) -> None:
        self._address_bits = exact_log2(lines)
        self._line_bits = WORD_BITS * line_words
        super().__init__(
            {
                "port": In(MemoryPort(lines, line_words)),
                "native": Out(NativePort(address_bits, self._line_bits)),
                "initialised": In(1),
                "passed": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        request = data.StructLayout(
            {"write": 1, "address": self._address_bits, "line": self._line_bits}
        )
        self._carry_out(m, self._queue(m, self._take(m, request)))
        self._answer(m)
        return m

    def _take(self, m, layout):
        """Let writes and reads cross, a write first; gives them in ``dram``."""
        m.submodules.crossing = crossing = Crossing(layout, depth=_CROSSING)
        port, write, read = self.port, self.port.write, self.port.read
        for name, source in ("initialised", self.initialised), ("passed", self.passed):
            m.submodules[f"{name}_here"] = FFSynchronizer(source, getattr(port, name))
        room, request = Signal(), crossing.word
        # Registered before anything is chosen, so that the log's decisions, which come late in
        # their cycle, do not wait for the crossing's.
        writes, reads = Signal(), Signal()
        write_address, read_address = Signal.like(write.address), Signal.like(read.address)
        line = Signal.like(write.line)
        m.d.sync += [
            room.eq(port.passed & (crossing.level <= _CROSSING - _MARGIN)),
            writes.eq(room & write.enable),
            reads.eq(room & read.enable),
            write_address.eq(write.address),
            read_address.eq(read.address),
            line.eq(write.line),
            crossing.write.eq(writes | reads),
            request.write.eq(writes),
            request.address.eq(Mux(writes, write_address, read_address)),
            request.line.eq(line),
        ]
        m.d.comb += [
            write.taken.eq(room),
            read.taken.eq(room & ~write.enable),
        ]
        return crossing, layout

    def _queue(self, m, source):
        """Let requests wait in block RAM, whose slow outputs are then registered."""
        crossing, layout = source
        waiting = DomainRenamer("dram")(SyncFIFOBuffered(width=layout.size, depth=_WAITING))
        m.submodules.waiting = waiting
        valid, ready, request = Signal(), Signal(), Signal(layout)
        m.d.comb += [
            waiting.w_data.eq(crossing.output.payload),
            waiting.w_en.eq(crossing.output.valid),
            crossing.output.ready.eq(waiting.w_rdy),
            waiting.r_en.eq(ready | ~valid),
        ]
        with m.If(ready | ~valid):
            m.d.dram += [valid.eq(waiting.r_rdy), request.eq(waiting.r_data)]
        return valid, ready, request

    def _carry_out(self, m, source):
        """Give requests to the core, with the data of writes in a queue of their own."""
        valid, ready, request = source
        native = self.native
        writes = DomainRenamer("dram")(SyncFIFO(width=self._line_bits, depth=_WRITES))
        m.submodules.writes = writes
        fits = ~request.write | writes.w_rdy
        m.d.comb += [
            native.command.valid.eq(valid & fits),
            native.command.payload.write.eq(request.write),
            native.command.payload.address.eq(request.address),
            ready.eq(native.command.ready & fits),
            writes.w_data.eq(request.line),
            writes.w_en.eq(valid & native.command.ready & request.write),
            native.write.valid.eq(writes.r_rdy),
            native.write.payload.eq(writes.r_data),
            writes.r_en.eq(native.write.ready),
        ]

    def _answer(self, m):
        """Hold the line of the one read under way, and let word of it cross."""
        native, read = self.native, self.port.read
        line, turn = Signal(self._line_bits), Signal()
        m.d.comb += native.read.ready.eq(1)
        with m.If(native.read.valid):
            m.d.dram += [line.eq(native.read.payload), turn.eq(~turn)]
        turn_here, turn_before = Signal(), Signal()
        m.submodules.turn_seen = FFSynchronizer(turn, turn_here)
        # The line stands still by the time that its turn is seen, and until the next read.
        m.d.sync += [
            turn_before.eq(turn_here),
            read.answered.eq(turn_here ^ turn_before),
            read.line.eq(line),
        ]
