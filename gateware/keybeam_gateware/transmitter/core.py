"""The transmitter: random bits in, lanes and downlink out, and what was sent kept for look-up."""

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.numbers import FRAME_SLOTS, PULSE_INDEX_BITS, SLOTS_PER_CYCLE
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD
from keybeam_gateware.line import FRAMER_LATENCY, PAYLOAD_BUFFER_BYTES, Framer
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.randomness import CHIPS_LAYOUT, CHIPS_VALID_LAYOUT, RandomSource
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.transmitter.layouts import CYCLE_BITS, LANES_LAYOUT
from keybeam_gateware.transmitter.log import LogBackend, StateLog
from keybeam_gateware.transmitter.pattern import FINE_DELAY_LAYOUT, PATTERN_LATENCY, Pattern
from keybeam_gateware.transmitter.registers import REGISTER_ADDRESS_BITS, TransmitterRegisters
from keybeam_gateware.transmitter.timebase import Timebase
from keybeam_gateware.transmitter.uplink import Uplink

__all__ = ["DEFAULT_LOG_FRAMES", "TransmitterCore"]

DEFAULT_LOG_FRAMES = 4
"""Depth of the state log in frames: 1 Mbit of block RAM, 64 of the 208 blocks of an ECP5-85F."""

_MODE_SHIFT = (FrameFlag.MODE & -FrameFlag.MODE).bit_length() - 1


class TransmitterCore(wiring.Component):
    """Sends the pattern and the downlink, locked to one another.

    Line bit 0 of frame F leaves in the same cycle as the slots 0 to 3 of frame
    F, whose pulse indices are F × 65 536 to F × 65 536 + 3, on lanes without
    coarse delay. Frames are sent also while the pattern does not run.

    The lanes are forced to their idle levels by `fault`, by the register
    ``transmitter.control.halt``, and in mode KEY by an alarm of the random bits.

    Parameters
    ----------
    random_bits : int
        Random bits of a pulse, 1 to 12.
    log_frames : int
        Depth of the state log in frames, a power of two.
    log_backend : LogBackend
        Memory of the state log.

    Attributes
    ----------
    windows : dict of str to csr.Interface
        Register buses by the names their registers begin with.
    buses : set of str
        Names of the ports that are register buses.

    Members
    -------
    chips, chip_valid, ring, ring_valid : In
        Raw random bits, see `keybeam_gateware.randomness.RandomSource`.
    pps : In(4)
        Samples of the pulse-per-second input in this cycle, earliest lowest.
    fault : In(1)
        Something outside forbids to send.
    lanes, serial, marker, fine_delay : Out
        What drives lasers and modulators, see `keybeam_gateware.transmitter.pattern.Pattern`.
    downlink : Out(4)
        The line bit of this cycle, once for each slot.
    uplink : In(4)
        Samples of the uplink in this cycle, earliest lowest.
    message : Out(stream.Signature(unsigned(8)))
        Payload of the uplink's frames whose check sum held.
    payload : In(stream.Signature(unsigned(8)))
        Message bytes for the downlink.
    payload_free : Out(16)
        Bytes for which the payload buffer has room; lags a byte taken by two cycles.
    lookup : In(stream.Signature(unsigned(64)))
        Pulse indices to look up in the state log.
    answer : Out(stream.Signature(unsigned(8)))
        ``LookupStatus << 4 | symbol`` of each index, in order.
    bus, random_bus, pattern_bus, log_bus, uplink_bus : In(csr.Signature)
        Registers of the core and of its blocks.
    memory : Out
        Memory of the state log; only with the backend DDR3.
    """

    def __init__(
        self,
        *,
        random_bits: int = SYMBOL_BITS,
        log_frames: int = DEFAULT_LOG_FRAMES,
        log_backend: LogBackend = LogBackend.BLOCK_RAM,
    ) -> None:
        self._registers = TransmitterRegisters()
        self._source = RandomSource(output_width=SYMBOLS_PER_WORD * random_bits)
        self._pattern = Pattern(random_bits=random_bits)
        self._log = StateLog(log_frames, backend=log_backend)
        self._uplink = Uplink()
        self._with_memory = log_backend == LogBackend.DDR3
        members = {
            "chips": In(CHIPS_LAYOUT),
            "chip_valid": In(CHIPS_VALID_LAYOUT),
            "ring": In(self._source.ring.shape()),
            "ring_valid": In(1),
            "pps": In(SLOTS_PER_CYCLE),
            "fault": In(1),
            "lanes": Out(LANES_LAYOUT),
            "serial": Out(self._pattern.serial.shape()),
            "marker": Out(SLOTS_PER_CYCLE),
            "fine_delay": Out(FINE_DELAY_LAYOUT),
            "downlink": Out(SLOTS_PER_CYCLE),
            "uplink": In(SLOTS_PER_CYCLE),
            "message": Out(stream.Signature(unsigned(8))),
            "payload": In(stream.Signature(unsigned(8))),
            "payload_free": Out(16),
            "lookup": In(stream.Signature(unsigned(PULSE_INDEX_BITS))),
            "answer": Out(stream.Signature(unsigned(8))),
            "bus": In(csr.Signature(addr_width=REGISTER_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)),
        }
        blocks = {
            "random": self._source,
            "pattern": self._pattern,
            "log": self._log,
            "uplink": self._uplink,
        }
        members |= {
            f"{name}_bus": In(
                csr.Signature(addr_width=len(block.bus.addr), data_width=CSR_DATA_WIDTH)
            )
            for name, block in blocks.items()
        }
        if self._with_memory:
            members["memory"] = Out(self._log.memory.signature)
        super().__init__(members)
        self.bus.memory_map = self._registers.bridge.bus.memory_map
        self.windows = {"transmitter": self.bus}
        for name, block in blocks.items():
            bus = getattr(self, f"{name}_bus")
            bus.memory_map = block.bus.memory_map
            self.windows[name] = bus
        self.buses = {"bus"} | {f"{name}_bus" for name in blocks}
        self._blocks = blocks

    def elaborate(self, platform):
        m = Module()
        registers = self._registers
        m.submodules.registers = registers.bridge
        connect(m, flipped(self.bus), registers.bridge.bus)
        for name, block in self._blocks.items():
            m.submodules[name] = block
            connect(m, flipped(getattr(self, f"{name}_bus")), block.bus)

        m.submodules.timebase = timebase = Timebase()
        m.d.comb += [
            timebase.run.eq(registers.control.f.run.data),
            timebase.start_counter.eq(registers.start_counter.f.counter.data),
            timebase.stop_after.eq(registers.stop_after.f.frames.data),
            timebase.pps.eq(self.pps),
            registers.status.f.running.r_data.eq(timebase.time.running),
            registers.status.f.finished.r_data.eq(timebase.finished),
        ]
        self._send_pattern(m, timebase)
        self._keep_log(m)
        self._send_downlink(m, timebase)
        self._take_uplink(m)
        self._snapshot(m, timebase)
        return m

    def _send_pattern(self, m, timebase):
        """Random bits to lanes."""
        source, pattern = self._source, self._pattern
        m.d.comb += [
            source.chips.eq(self.chips),
            source.chip_valid.eq(self.chip_valid),
            source.ring.eq(self.ring),
            source.ring_valid.eq(self.ring_valid),
            source.running.eq(timebase.time.running),
            source.word_index.eq(Cat(timebase.time.cycle, timebase.time.frame)),
            pattern.live.eq(source.live),
            pattern.time.eq(timebase.time),
            self.lanes.eq(pattern.lanes),
            self.serial.eq(pattern.serial),
            self.marker.eq(pattern.marker),
            self.fine_delay.eq(pattern.fine_delay),
        ]
        connect(m, source.random, pattern.random)
        connect(m, pattern.start, timebase.start)
        halt = self._registers.control.f.halt.data
        m.d.sync += pattern.fault.eq(
            self.fault | halt | (source.alarm & (pattern.mode == PatternMode.KEY))
        )

    def _keep_log(self, m):
        m.d.comb += self._log.sent.eq(self._pattern.sent)
        connect(m, flipped(self.lookup), self._log.index)
        connect(m, self._log.answer, flipped(self.answer))
        if self._with_memory:
            connect(m, self._log.memory, flipped(self.memory))

    def _blanked_before(self, m):
        """Whether pulses of the frame before this one were blanked."""
        border, blanked = Signal(), Signal()
        in_this, before = Signal(), Signal()
        m.d.sync += [
            border.eq(self._pattern.sent.word[:CYCLE_BITS] == 0),
            blanked.eq(self._pattern.blanked),
            in_this.eq(blanked | (in_this & ~border)),
        ]
        with m.If(border):
            m.d.sync += before.eq(in_this)
        return before

    def _send_downlink(self, m, timebase):
        registers, time = self._registers, timebase.time
        m.submodules.framer = framer = Framer()
        connect(m, flipped(self.payload), framer.payload)
        # As late as the lanes.
        later = PATTERN_LATENCY - FRAMER_LATENCY
        m.d.comb += [
            framer.cycle.eq(delayed(m, time.cycle, later)),
            framer.counter.eq(delayed(m, time.frame, later)),
            framer.sync.eq(registers.sync_word.f.word.data),
            self.downlink.eq(framer.line.replicate(SYMBOLS_PER_WORD)),
            registers.payload.f.level.r_data.eq(framer.level),
            registers.payload.f.free.r_data.eq(self.payload_free),
        ]
        # Taken in the middle of the header: by then they are those of the frame.
        m.d.sync += [
            framer.flags.eq(
                Mux(time.running, FrameFlag.RUNNING, 0)
                | Mux(self._pattern.not_key, FrameFlag.NOT_KEY, 0)
                | Mux(self._blanked_before(m), FrameFlag.UNDERFLOW, 0)
                | Value.cast(self._pattern.mode) << _MODE_SHIFT
            ),
            self.payload_free.eq(PAYLOAD_BUFFER_BYTES - framer.level),
        ]

    def _take_uplink(self, m):
        m.d.comb += self._uplink.line.eq(self.uplink)
        connect(m, self._uplink.message, flipped(self.message))

    def _snapshot(self, m, timebase):
        registers = self._registers
        take = registers.snapshot.f.take
        first = Signal(FRAME_COUNTER_BITS)
        with m.If(timebase.time.first):
            m.d.sync += first.eq(timebase.time.frame)
        with m.If(take.w_stb & take.w_data):
            m.d.sync += [
                registers.frame.f.counter.r_data.eq(timebase.time.frame),
                registers.first_pulse_index.f.index.r_data.eq(first * FRAME_SLOTS),
            ]
