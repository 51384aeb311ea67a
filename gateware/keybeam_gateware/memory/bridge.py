"""Carries lines between the clock of the log and that of the memory."""

from amaranth import Cat, DomainRenamer, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFO, SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam_gateware.memory.native import NativePort
from keybeam_gateware.transmitter.log.memory_port import WORD_BITS, MemoryPort

__all__ = ["LineBridge"]

_REQUESTS = 512
"""Writes and reads that may wait for the memory: the depth of the block RAM that holds them. A
refresh of 2 µs keeps 40 of them waiting."""
_MARGIN = 8
"""Requests for which there must be room when one is taken, since the level is known late."""
_WRITES = 32
"""Writes whose command the core took and whose data it has not asked for yet, at most."""
_ANSWERS = 4


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
        m.submodules.requests = requests = AsyncFIFO(
            width=1 + self._address_bits + self._line_bits,
            depth=_REQUESTS,
            r_domain="dram",
            w_domain="sync",
        )
        self._take(m, requests)
        self._carry_out(m, requests)
        self._answer(m)
        return m

    def _take(self, m, requests):
        """Queue writes and reads, a write first."""
        port, write, read = self.port, self.port.write, self.port.read
        for name, source in ("initialised", self.initialised), ("passed", self.passed):
            m.submodules[f"{name}_here"] = FFSynchronizer(source, getattr(port, name))
        room = Signal()
        # Registered, so that the log's decisions do not wait for the queue's.
        m.d.sync += [
            room.eq(port.passed & (requests.w_level <= _REQUESTS - _MARGIN)),
            requests.w_en.eq(room & (write.enable | read.enable)),
            requests.w_data.eq(
                Cat(write.enable, Mux(write.enable, write.address, read.address), write.line)
            ),
        ]
        m.d.comb += [write.taken.eq(room), read.taken.eq(room & ~write.enable)]

    def _carry_out(self, m, requests):
        native = self.native
        is_write, address, line = Signal(), Signal(self._address_bits), Signal(self._line_bits)
        m.submodules.writes = writes = DomainRenamer("dram")(
            SyncFIFO(width=self._line_bits, depth=_WRITES)
        )
        m.d.comb += [
            Cat(is_write, address, line).eq(requests.r_data),
            native.command.valid.eq(requests.r_rdy & (~is_write | writes.w_rdy)),
            native.command.payload.write.eq(is_write),
            native.command.payload.address.eq(address),
            requests.r_en.eq(native.command.ready & (~is_write | writes.w_rdy)),
            writes.w_data.eq(line),
            writes.w_en.eq(requests.r_rdy & native.command.ready & is_write),
            native.write.valid.eq(writes.r_rdy),
            native.write.payload.eq(writes.r_data),
            writes.r_en.eq(native.write.ready),
        ]

    def _answer(self, m):
        native, read = self.native, self.port.read
        m.submodules.answers = answers = AsyncFIFO(
            width=self._line_bits, depth=_ANSWERS, r_domain="sync", w_domain="dram"
        )
        m.d.comb += [
            answers.w_en.eq(native.read.valid),
            answers.w_data.eq(native.read.payload),
            native.read.ready.eq(1),
            answers.r_en.eq(1),
            read.answered.eq(answers.r_rdy),
            read.line.eq(answers.r_data),
        ]
