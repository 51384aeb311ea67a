"""The transmitter: random words in, lanes and downlink out, and what was sent kept for look-up."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_SLOTS, PULSE_INDEX_BITS
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD
from keybeam_gateware.line import FRAMER_LATENCY, PAYLOAD_BUFFER_BYTES, Framer
from keybeam_gateware.randomness.gearbox import Gearbox
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.transmitter.layouts import CYCLE_BITS, TIME_LAYOUT
from keybeam_gateware.transmitter.log import StateLog
from keybeam_gateware.transmitter.registers import REGISTER_ADDRESS_BITS, TransmitterRegisters
from keybeam_gateware.transmitter.sequencer import LANES_LAYOUT, SEQUENCER_LATENCY, Sequencer
from keybeam_gateware.transmitter.symbol_map import SymbolMap
from keybeam_gateware.transmitter.timebase import Timebase

__all__ = ["DEFAULT_LOG_FRAMES", "RANDOM_WORD_BITS", "TransmitterCore"]

RANDOM_WORD_BITS = 64
"""Bits of a word of the random stream."""

DEFAULT_LOG_FRAMES = 4
"""Depth of the state log in frames: 1 Mbit of block RAM, 64 of the 208 blocks of an ECP5-85F."""


class TransmitterCore(wiring.Component):
    """Sends the pattern and the downlink, locked to one another.

    Line bit 0 of frame F leaves in the same cycle as the slots 0 to 3 of frame
    F, whose pulse indices are F × 65 536 to F × 65 536 + 3. Frames are sent
    also while the pattern does not run.

    Parameters
    ----------
    log_frames : int
        Depth of the state log in frames, a power of two.

    Members
    -------
    random : In(stream.Signature(unsigned(64)))
        Fresh random words; pulse p of a word (0 to 15) uses bits 4p+3 to 4p, the lowest first.
    lanes : Out(LANES_LAYOUT)
        Lanes of laser and modulators; bit k of each is slot k of the cycle. From registers.
    downlink : Out(4)
        The line bit of this cycle, once for each slot.
    payload : In(stream.Signature(unsigned(8)))
        Message bytes for the downlink.
    payload_free : Out(16)
        Bytes for which the payload buffer has room; lags a byte taken by two cycles.
    lookup : In(stream.Signature(unsigned(64)))
        Pulse indices to look up in the state log.
    answer : Out(stream.Signature(unsigned(8)))
        ``LookupStatus << 4 | symbol`` of each index, in order.
    bus : In(csr.Signature(addr_width=6, data_width=32))
        Registers: `keybeam_gateware.transmitter.registers`.
    """

    def __init__(self, *, log_frames: int = DEFAULT_LOG_FRAMES) -> None:
        self._log_frames = log_frames
        self._registers = TransmitterRegisters()
        super().__init__(
            {
                "random": In(stream.Signature(unsigned(RANDOM_WORD_BITS))),
                "lanes": Out(LANES_LAYOUT),
                "downlink": Out(SYMBOLS_PER_WORD),
                "payload": In(stream.Signature(unsigned(8))),
                "payload_free": Out(16),
                "lookup": In(stream.Signature(unsigned(PULSE_INDEX_BITS))),
                "answer": Out(stream.Signature(unsigned(8))),
                "bus": In(
                    csr.Signature(addr_width=REGISTER_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
                ),
            }
        )
        self.bus.memory_map = self._registers.bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        registers = self._registers
        m.submodules.registers = registers.bridge
        connect(m, flipped(self.bus), registers.bridge.bus)

        m.submodules.timebase = timebase = Timebase()
        m.d.comb += [
            timebase.run.eq(registers.control.f.run.data),
            timebase.start_counter.eq(registers.start_counter.f.counter.data),
            timebase.stop_after.eq(registers.stop_after.f.frames.data),
            registers.status.f.running.r_data.eq(timebase.time.running),
            registers.status.f.finished.r_data.eq(timebase.finished),
        ]
        sequencer = self._pattern(m, timebase)
        blanked_before = self._count_underflow(m, sequencer)
        self._downlink(m, timebase, blanked_before)
        self._snapshot(m, timebase)
        return m

    def _pattern(self, m, timebase):
        """Random words to lanes and log, as many cycles after the time base as the line bits."""
        m.submodules.gearbox = gearbox = Gearbox(RANDOM_WORD_BITS, SYMBOL_BITS * SYMBOLS_PER_WORD)
        m.submodules.symbol_map = symbol_map = SymbolMap()
        m.submodules.sequencer = sequencer = Sequencer()
        m.submodules.log = log = StateLog(self._log_frames)
        m.d.comb += [
            gearbox.input.valid.eq(self.random.valid),
            gearbox.input.payload.bits.eq(self.random.payload),
            self.random.ready.eq(gearbox.input.ready),
            symbol_map.random.valid.eq(gearbox.output.valid),
            symbol_map.random.payload.eq(gearbox.output.payload.bits),
            gearbox.output.ready.eq(symbol_map.random.ready),
        ]
        connect(m, symbol_map.symbols, sequencer.symbols)
        connect(m, flipped(self.lookup), log.index)
        connect(m, log.answer, flipped(self.answer))

        time = timebase.time
        for _ in range(FRAMER_LATENCY - SEQUENCER_LATENCY):
            later = Signal(TIME_LAYOUT)
            m.d.sync += later.eq(time)
            time = later
        m.d.comb += [
            sequencer.time.eq(time),
            self.lanes.eq(sequencer.lanes),
            log.sent.eq(sequencer.sent),
            self._registers.log.f.frames.r_data.eq(self._log_frames),
        ]
        return sequencer

    def _count_underflow(self, m, sequencer):
        """Count blanked slots; returns whether there were any in the frame before this one."""
        registers = self._registers
        border, blanked = Signal(), Signal()
        in_this, before = Signal(), Signal()
        cycles = Signal(64 - (SYMBOLS_PER_WORD - 1).bit_length())
        m.d.comb += registers.flags.f.underflow.set.eq(blanked)
        m.d.sync += [
            border.eq(sequencer.sent.word[:CYCLE_BITS] == 0),
            blanked.eq(sequencer.blanked),
            in_this.eq(blanked | (in_this & ~border)),
        ]
        with m.If(border):
            m.d.sync += before.eq(in_this)
        with m.If(blanked):
            m.d.sync += cycles.eq(cycles + 1)
        with m.If(self._snapshot_taken()):
            m.d.sync += registers.underflow.f.slots.r_data.eq(cycles * SYMBOLS_PER_WORD)
        return before

    def _downlink(self, m, timebase, blanked_before):
        registers = self._registers
        m.submodules.framer = framer = Framer()
        connect(m, flipped(self.payload), framer.payload)
        m.d.comb += [
            framer.cycle.eq(timebase.time.cycle),
            framer.counter.eq(timebase.time.frame),
            framer.sync.eq(registers.sync_word.f.word.data),
            framer.flags.eq(
                Mux(timebase.time.running, FrameFlag.RUNNING, 0)
                | Mux(registers.control.f.not_key.data, FrameFlag.NOT_KEY, 0)
                | Mux(blanked_before, FrameFlag.UNDERFLOW, 0)
            ),
            self.downlink.eq(framer.line.replicate(SYMBOLS_PER_WORD)),
            registers.payload.f.level.r_data.eq(framer.level),
            registers.payload.f.free.r_data.eq(self.payload_free),
        ]
        m.d.sync += self.payload_free.eq(PAYLOAD_BUFFER_BYTES - framer.level)

    def _snapshot_taken(self):
        take = self._registers.snapshot.f.take
        return take.w_stb & take.w_data

    def _snapshot(self, m, timebase):
        registers = self._registers
        first = Signal(FRAME_COUNTER_BITS)
        with m.If(timebase.time.first):
            m.d.sync += first.eq(timebase.time.frame)
        with m.If(self._snapshot_taken()):
            m.d.sync += [
                registers.frame.f.counter.r_data.eq(timebase.time.frame),
                registers.first_pulse_index.f.index.r_data.eq(first * FRAME_SLOTS),
            ]
