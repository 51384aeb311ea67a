"""Keeps the symbols that were sent, and answers what was sent at a pulse index."""

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from keybeam.protocol.numbers import FRAME_CYCLES, PULSE_INDEX_BITS
from keybeam.protocol.symbols import SYMBOLS_PER_WORD
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.transmitter.layouts import SENT_LAYOUT, WORD_INDEX_BITS
from keybeam_gateware.transmitter.log.block_ram import BlockRam
from keybeam_gateware.transmitter.log.comparison import COMPARISON_LATENCY, LONGEST_LOG_WORDS
from keybeam_gateware.transmitter.log.frame_marks import MARKS_LATENCY, FrameMarks
from keybeam_gateware.transmitter.log.lines import LinePacker, line_layout
from keybeam_gateware.transmitter.log.lookup import Lookup
from keybeam_gateware.transmitter.log.memory_port import MemoryPort
from keybeam_gateware.transmitter.log.registers import LOG_ADDRESS_BITS, LogBackend, LogRegisters
from keybeam_gateware.transmitter.log.window import GUARD_WORDS, Window

__all__ = ["DDR3_LINE_WORDS", "DDR3_USUAL_CYCLES", "LOOKUP_CYCLES", "StateLog"]

# A look-up takes the marks together with the outcome of its comparison.
assert MARKS_LATENCY <= COMPARISON_LATENCY

DDR3_LINE_WORDS = 8
"""Words of a line of DDR3: a burst of eight transfers of 16 bits."""

_LINE_WORDS = {LogBackend.BLOCK_RAM: 1, LogBackend.DDR3: DDR3_LINE_WORDS}
_TIME_LIMITS = {LogBackend.BLOCK_RAM: 64, LogBackend.DDR3: 1024}

_HALF = WORD_INDEX_BITS // 2  # bits of an index that are subtracted in one cycle

LOOKUP_CYCLES = {LogBackend.BLOCK_RAM: 24, LogBackend.DDR3: 1028}
"""Cycles from taking a pulse index to the offer of its answer, at most, by backend. With block
RAM it takes 13, and up to 8 more if a frame begins or the pattern starts meanwhile, which can
happen only once. With DDR3 it is the time after which a memory that does not answer is given up."""

DDR3_USUAL_CYCLES = 640
"""Cycles that a look-up in DDR3 takes at most while the memory works: a refresh of 140 cycles of
its clock may come first, and the writes that waited meanwhile."""


class StateLog(wiring.Component):
    """Ring of the symbols last sent, read by pulse index.

    Writing starts anew with every start of the pattern and goes on with
    consecutive indices; when the pattern stops, the contents stay. An answer
    is one of

    - FOUND, or NOT_KEY in a frame that cannot become key: the symbol sent at that index;
    - TOO_OLD: before the start of the pattern, or overwritten;
    - TOO_NEW: not sent yet (up to a line of the memory is not there yet), or nothing was ever sent;
    - LOST: the memory did not take a symbol of that frame, or does not answer.

    Parameters
    ----------
    frames : int
        Depth in frames, a power of two.
    frame_words : int
        Words of a frame, a power of two greater than `GUARD_WORDS`.
    backend : LogBackend
        Memory: block RAM inside, or DDR3 at the port `memory`.

    Members
    -------
    sent : In(SENT_LAYOUT)
        What is sent in this cycle. The pattern starts and stops at frame borders.
    index : In(stream.Signature(unsigned(64)))
        Pulse indices to look up, one at a time.
    answer : Out(stream.Signature(unsigned(8)))
        ``LookupStatus << 4 | symbol`` of each index, in order, offered at most `LOOKUP_CYCLES`
        cycles after it was taken; the symbol is 0 unless the status is FOUND or NOT_KEY.
    bus : In(csr.Signature(addr_width=5, data_width=32))
        Registers: `keybeam_gateware.transmitter.log.registers`.
    memory : Out(MemoryPort(frames * frame_words / 8, 8))
        The memory; only with the backend DDR3.
    """

    def __init__(
        self,
        frames: int,
        frame_words: int = FRAME_CYCLES,
        *,
        backend: LogBackend = LogBackend.BLOCK_RAM,
    ) -> None:
        words = frames * frame_words
        if frame_words <= GUARD_WORDS or words > LONGEST_LOG_WORDS:
            raise ValueError(f"a log of {frames} × {frame_words} words cannot be built")
        self._frames, self._frame_words, self._backend = frames, frame_words, backend
        self._line_words = _LINE_WORDS[backend]
        self._lines = words // self._line_words
        self._registers = LogRegisters()
        members = {
            "sent": In(SENT_LAYOUT),
            "index": In(stream.Signature(unsigned(PULSE_INDEX_BITS))),
            "answer": Out(stream.Signature(unsigned(8))),
            "bus": In(csr.Signature(addr_width=LOG_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)),
        }
        if backend == LogBackend.DDR3:
            members["memory"] = Out(MemoryPort(self._lines, self._line_words))
        super().__init__(members)
        self.bus.memory_map = self._registers.bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = self._registers.bridge
        connect(m, flipped(self.bus), self._registers.bridge.bus)

        m.submodules.packer = packer = LinePacker(self._line_words)
        m.d.comb += packer.sent.eq(self.sent)
        memory = self._memory(m)
        written, lost = self._write(m, packer.line, memory)
        window = self._window(m, written)
        lookup = self._look_up(m, memory, window)
        self._mark(m, lookup, packer, memory, written, lost)
        self._report(m, memory, window, lookup)
        self._count(m, written, lost)
        return m

    def _memory(self, m):
        if self._backend == LogBackend.DDR3:
            return flipped(self.memory)
        m.submodules.block_ram = block_ram = BlockRam(self._frames, self._frame_words)
        return block_ram.port

    def _write(self, m, line, memory):
        """Write a line; gives in the next cycle what line it was, and whether it was lost."""
        written = Signal(line_layout(0))
        lost = Signal()
        m.d.comb += [
            memory.write.enable.eq(line.valid),
            memory.write.address.eq(line.word[exact_log2(self._line_words) :]),
            memory.write.line.eq(line.words),
        ]
        m.d.sync += [
            written.valid.eq(line.valid),
            written.first.eq(line.first),
            written.not_key.eq(line.not_key),
            written.word.eq(line.word),
            lost.eq(line.valid & ~memory.write.taken),
        ]
        return written, lost

    def _window(self, m, written):
        m.submodules.window = window = Window(self._frames * self._frame_words, self._line_words)
        m.d.comb += [
            window.written.eq(written.valid),
            window.first.eq(written.first),
            window.word.eq(written.word),
        ]
        return window

    def _look_up(self, m, memory, window):
        m.submodules.lookup = lookup = Lookup(
            self._lines, self._line_words, _TIME_LIMITS[self._backend]
        )
        connect(m, flipped(self.index), lookup.index)
        connect(m, lookup.answer, flipped(self.answer))
        connect(m, lookup.read, memory.read)
        passed = Signal()
        m.d.sync += passed.eq(memory.passed)
        m.d.comb += [
            lookup.newest.eq(window.newest),
            lookup.held.eq(window.held),
            lookup.gone.eq(passed & ~memory.passed),
        ]
        return lookup

    def _mark(self, m, lookup, packer, memory, written, lost):
        """Mark a frame when it begins, and again when a line of it is lost."""
        line = packer.line
        # Twice the frames of the memory, since the oldest frame is read in part while the newest
        # one overwrites it.
        m.submodules.marks = marks = FrameMarks(2 * self._frames)
        place_bits, frame_bits = exact_log2(self._line_words), exact_log2(self._frame_words)
        begins, marked, disturbed = Signal(), Signal(), Signal()
        m.d.comb += [
            begins.eq((line.word[place_bits:frame_bits] == 0) | line.first),
            marked.eq(line.valid & (begins | ~memory.write.taken)),
        ]
        # A restart disturbs from the cycle on in which its first line overwrites an old one. It is
        # told a cycle ahead, so that the look-up has it from a register.
        m.d.sync += [
            marks.write.eq(marked),
            disturbed.eq(packer.restarts | (line.valid & line.first) | marked),
        ]
        m.d.comb += [
            marks.write_frame.eq(written.word[frame_bits:]),
            marks.write_mark.not_key.eq(written.not_key),
            marks.write_mark.lost.eq(lost),
            marks.read_frame.eq(lookup.word[frame_bits:]),
            lookup.mark.eq(marks.mark),
            lookup.disturbed.eq(disturbed),
        ]

    def _report(self, m, memory, window, lookup):
        """State, and the range that is held."""
        registers = self._registers
        slots = self._frames * self._frame_words - GUARD_WORDS
        newest, before = Signal.like(window.newest), Signal.like(window.held)
        low, high = Signal(_HALF + 1), Signal(WORD_INDEX_BITS - _HALF)
        with m.If(self._taken()):
            m.d.sync += [newest.eq(window.newest), before.eq(window.held - 1)]
        m.d.sync += [
            low.eq(newest[:_HALF] - before),
            high.eq(newest[_HALF:] - low[-1]),
            registers.newest.f.index.r_data.eq(newest * SYMBOLS_PER_WORD + SYMBOLS_PER_WORD - 1),
            registers.oldest.f.index.r_data.eq(Cat(low[:_HALF], high) * SYMBOLS_PER_WORD),
            registers.status.f.held.r_data.eq(window.held != 0),
        ]
        m.d.comb += [
            registers.status.f.backend.r_data.eq(self._backend),
            registers.status.f.initialised.r_data.eq(memory.initialised),
            registers.status.f.passed.r_data.eq(memory.passed),
            registers.status.f.failed.r_data.eq(lookup.failed),
            registers.size.f.frames.r_data.eq(self._frames),
            registers.capacity.f.slots.r_data.eq(slots * SYMBOLS_PER_WORD),
        ]

    def _count(self, m, written, lost):
        """Losses and answers."""
        registers = self._registers
        line_slots = self._line_words * SYMBOLS_PER_WORD
        place_bits = exact_log2(self._line_words)
        lines, answered = Signal(64 - exact_log2(line_slots)), Signal(64)
        first = Signal(WORD_INDEX_BITS - place_bits)
        with m.If(lost):
            m.d.sync += lines.eq(lines + 1)
            with m.If(~registers.flags.f.lost.data):
                m.d.sync += first.eq(written.word[place_bits:])
        with m.If(self.answer.valid & self.answer.ready):
            m.d.sync += answered.eq(answered + 1)
        m.d.comb += registers.flags.f.lost.set.eq(lost)
        with m.If(self._taken()):
            m.d.sync += [
                registers.lost.f.slots.r_data.eq(lines * line_slots),
                registers.first_lost.f.index.r_data.eq(first * line_slots),
                registers.answered.f.indices.r_data.eq(answered),
            ]

    def _taken(self):
        take = self._registers.snapshot.f.take
        return take.w_stb & take.w_data
