"""The pattern: random bits in, lanes out, and what was sent."""

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.lanes import LANE_ENTRY_BITS, LANES, SUBSLOTS
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.numbers import FRAME_CYCLES
from keybeam.protocol.symbols import (
    RANDOM_BITS_MAXIMUM,
    SYMBOL_BITS,
    SYMBOLS_PER_WORD,
    default_symbol_table,
)
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.transmitter.layouts import (
    LANES_LAYOUT,
    SENT_LAYOUT,
    SYMBOLS_LAYOUT,
    TIME_LAYOUT,
)
from keybeam_gateware.transmitter.pattern.frame_control import (
    FRAME_CONTROL_LATENCY,
    FrameControl,
)
from keybeam_gateware.transmitter.pattern.lane_driver import (
    LANE_DRIVER_LATENCY,
    LOADABLE_ENTRIES,
    LaneDriver,
)
from keybeam_gateware.transmitter.pattern.layouts import (
    FINE_DELAY_LAYOUT,
    LANE_SETTINGS,
    SERIAL_BITS,
    START_SIGNATURE,
)
from keybeam_gateware.transmitter.pattern.loader import TableLoader
from keybeam_gateware.transmitter.pattern.marker import MARKER_LATENCY, Marker
from keybeam_gateware.transmitter.pattern.output_lane import (
    OUTPUT_LANE_LATENCY,
    OUTPUT_LANE_SPAN,
    OutputLane,
)
from keybeam_gateware.transmitter.pattern.prbs import PrbsSource
from keybeam_gateware.transmitter.pattern.record import BLANK_WORD, CHOSEN_LAYOUT, Record
from keybeam_gateware.transmitter.pattern.registers import PATTERN_ADDRESS_BITS, PatternRegisters
from keybeam_gateware.transmitter.pattern.sequencer import SEQUENCER_LATENCY, Sequencer
from keybeam_gateware.transmitter.pattern.spacer import Spacer
from keybeam_gateware.transmitter.pattern.table import LookupTable
from keybeam_gateware.transmitter.pattern.tally import FirstOffender, PulseCounter
from keybeam_gateware.transmitter.pattern.user_pattern import (
    USER_PATTERN_LATENCY,
    USER_WORDS,
    UserPattern,
)

__all__ = ["PATTERN_LATENCY", "SENT_LATENCY", "Pattern"]

_SYMBOLS_AT = FRAME_CONTROL_LATENCY + SEQUENCER_LATENCY
_ENTRIES_AT = _SYMBOLS_AT + LANE_DRIVER_LATENCY

PATTERN_LATENCY = _ENTRIES_AT + OUTPUT_LANE_LATENCY
"""Cycles from `Pattern.time` to the lanes, whose coarse delay adds to it. Constant."""

SENT_LATENCY = _ENTRIES_AT + OUTPUT_LANE_SPAN
"""Cycles from `Pattern.time` to `Pattern.sent`: by then a slot has left every lane."""


class Pattern(wiring.Component):
    """Sends the pattern: what the mode says, as often as the spacing says, on lanes.

    Everything takes a fixed number of cycles from `time` on. Nothing waits:
    pulses without random bits are blanked to vacuum, and marked.

    A fault puts all lanes at their idle levels in the next cycle and keeps
    them there to the end of the frame in which it ends. Slots that have not
    left all lanes when it comes are INVALID in `sent`.

    Parameters
    ----------
    random_bits : int
        Random bits k of a pulse, 1 to 12.
    frame_cycles : int
        Cycles of a frame; shorter ones are for tests.

    Members
    -------
    random : In(stream.Signature(unsigned(4 * random_bits)))
        Words of random bits for four pulses, the earliest lowest.
    live : In(1)
        The bits of `random` are fit for keys.
    time : In(TIME_LAYOUT)
        Where the cycle stands.
    fault : In(1)
        Force the lanes to their idle levels.
    lanes : Out(LANES_LAYOUT)
        The lanes, `PATTERN_LATENCY` cycles and their coarse delay after `time`; from registers.
    serial : Out(16)
        The serial lane, four sub-slots a slot, as late; from registers.
    fine_delay : Out(FINE_DELAY_LAYOUT)
        For the I/O cells.
    marker : Out(4)
        Marks slots; `PATTERN_LATENCY` cycles after `time`.
    sent : Out(SENT_LAYOUT)
        What was sent, `SENT_LATENCY` cycles after `time`; from registers.
    blanked : Out(1)
        Pulses of `sent` were blanked for want of random bits.
    mode : Out(PatternMode)
        Mode of the frame, from its second cycle to the first of the next.
    not_key : Out(1)
        The frame must not become key; as `mode`.
    start : Out(START_SIGNATURE)
        To the time base.
    bus : In(csr.Signature(addr_width=7, data_width=32))
        Registers: `keybeam_gateware.transmitter.pattern.registers`.

    Raises
    ------
    ValueError
        If `random_bits` is out of range or a frame is too short for what is looked at during it.
    """

    def __init__(self, *, random_bits: int = SYMBOL_BITS, frame_cycles: int = FRAME_CYCLES) -> None:
        if not 1 <= random_bits <= RANDOM_BITS_MAXIMUM:
            raise ValueError(f"{random_bits} random bits are not 1 to {RANDOM_BITS_MAXIMUM}")
        if frame_cycles <= SENT_LATENCY:
            raise ValueError(f"a frame of {frame_cycles} cycles is shorter than {SENT_LATENCY}")
        self._random_bits = random_bits
        self._registers = PatternRegisters()
        super().__init__(
            {
                "random": In(stream.Signature(unsigned(SYMBOLS_PER_WORD * random_bits))),
                "live": In(1),
                "time": In(TIME_LAYOUT),
                "fault": In(1),
                "lanes": Out(LANES_LAYOUT),
                "serial": Out(SERIAL_BITS),
                "fine_delay": Out(FINE_DELAY_LAYOUT),
                "marker": Out(SYMBOLS_PER_WORD),
                "sent": Out(SENT_LAYOUT),
                "blanked": Out(1),
                "mode": Out(PatternMode),
                "not_key": Out(1),
                "start": Out(START_SIGNATURE),
                "bus": In(
                    csr.Signature(addr_width=PATTERN_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
                ),
            }
        )
        self.bus.memory_map = self._registers.bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = self._registers.bridge
        connect(m, flipped(self.bus), self._registers.bridge.bus)
        locked = Signal()
        m.d.sync += locked.eq(self.time.running | self.sent.valid)

        frame = self._frame(m)
        sequencer, user = self._symbols(m, frame)
        driver = self._driver(m, frame, sequencer)
        held = self._hold_after_fault(m, frame)
        self._lanes(m, frame, driver, held, locked)
        record = self._record(m, frame, sequencer, held)
        self._watch(m, frame, record)
        self._load(m, locked, user.table, driver.table)
        self._marker(m)
        self._start(m, locked)
        return m

    def _frame(self, m):
        m.submodules.frame = frame = FrameControl()
        registers = self._registers
        m.d.comb += [
            frame.time.eq(self.time),
            frame.wanted.mode.eq(registers.mode.f.mode.data),
            frame.wanted.symbol.eq(registers.mode.f.symbol.data),
            frame.wanted.spacing.eq(registers.spacing.f.log2_slots.data),
            frame.live.eq(self.live),
            frame.set_not_key.eq(_asked(registers.not_key.f.set)),
            frame.clear_not_key.eq(_asked(registers.not_key.f.clear)),
            self.mode.eq(frame.settings.mode),
            self.not_key.eq(frame.not_key),
            registers.status.f.mode.r_data.eq(frame.settings.mode),
            registers.status.f.spacing.r_data.eq(frame.settings.spacing),
            registers.status.f.not_key.r_data.eq(frame.not_key),
        ]
        return frame

    def _symbols(self, m, frame):
        """From bits of all kinds to symbols."""
        bits = self._random_bits
        m.submodules.key_bits = key_bits = Spacer(bits)
        m.submodules.prbs = prbs = PrbsSource(SYMBOLS_PER_WORD * bits)
        m.submodules.prbs_bits = prbs_bits = Spacer(bits)
        m.submodules.user = user = UserPattern()
        m.submodules.sequencer = sequencer = Sequencer(bits)
        m.submodules.map = self._map = LookupTable(
            SYMBOL_BITS, default_symbol_table(bits).tolist(), lookups=SYMBOLS_PER_WORD
        )
        connect(m, flipped(self.random), key_bits.words)
        connect(m, prbs.words, prbs_bits.words)

        # Of a word that is split up, all fields are as fit as the word was when it was taken.
        word_unfit = Signal()
        with m.If(self.random.valid & self.random.ready):
            m.d.sync += word_unfit.eq(~self.live)
        m.d.comb += [
            frame.waiting_unfit.eq(key_bits.waiting & word_unfit),
            key_bits.spacing.eq(frame.settings.spacing),
            key_bits.clear.eq(frame.starts),
            key_bits.take.eq(sequencer.key_take),
            sequencer.key_there.eq(key_bits.there),
            prbs.run.eq(frame.running),
            prbs.mode.eq(frame.settings.mode),
            prbs_bits.spacing.eq(frame.settings.spacing),
            prbs_bits.clear.eq(prbs.begins),
            prbs_bits.take.eq(sequencer.prbs_take),
            sequencer.settings.eq(frame.settings),
            sequencer.slots.eq(frame.slots),
            sequencer.fit.eq(frame.fit),
            sequencer.unfit.eq(frame.unfit),
            user.begin.eq(delayed(m, frame.begin, SEQUENCER_LATENCY - 1 - USER_PATTERN_LATENCY)),
            user.words.eq(self._registers.user_length.f.words.data),
            sequencer.user.eq(user.symbols),
        ]
        for slot in range(SYMBOLS_PER_WORD):
            m.d.comb += [
                getattr(sequencer, f"key_{slot}").eq(getattr(key_bits, f"slot_{slot}")),
                getattr(sequencer, f"prbs_{slot}").eq(getattr(prbs_bits, f"slot_{slot}")),
                getattr(self._map, f"address_{slot}").eq(getattr(sequencer, f"address_{slot}")),
                getattr(sequencer, f"entry_{slot}").eq(getattr(self._map, f"entry_{slot}")),
            ]
        return sequencer, user

    def _driver(self, m, frame, sequencer):
        m.submodules.driver = driver = LaneDriver()
        m.d.comb += [
            driver.symbols.eq(sequencer.symbols),
            driver.pulses.eq(sequencer.pulses),
            driver.spacing.eq(frame.settings.spacing),
            driver.cycle.eq(delayed(m, self.time.cycle[:2], _SYMBOLS_AT)),
        ]
        return driver

    def _hold_after_fault(self, m, frame):
        """Whether the lanes are to stay idle, for the cycle whose lane entries are there."""
        begin = delayed(m, frame.begin, _ENTRIES_AT - FRAME_CONTROL_LATENCY)
        kept, held = Signal(), Signal()
        m.d.comb += held.eq(kept & ~begin)
        m.d.sync += kept.eq(self.fault | held)
        return held

    def _lanes(self, m, frame, driver, held, locked):
        sends = frame.running & (frame.settings.mode != PatternMode.OFF)
        active = Signal()
        m.d.comb += active.eq(delayed(m, sends, _ENTRIES_AT - FRAME_CONTROL_LATENCY) & ~held)
        entries = [getattr(driver, f"slot_{slot}") for slot in range(SYMBOLS_PER_WORD)]
        for number, registers in enumerate(self._registers.lanes):
            name = f"lane_{number}"
            slots = Cat(entry[number] for entry in entries)
            lane = self._lane(m, name, 1, slots, registers, active, locked)
            m.d.comb += [
                self.lanes[name].eq(lane.line),
                self.fine_delay[name].eq(registers.f.fine_delay.data),
            ]
        slots = Cat(entry[LANES:LANE_ENTRY_BITS] for entry in entries)
        lane = self._lane(m, "serial", SUBSLOTS, slots, self._registers.serial, active, locked)
        m.d.comb += self.serial.eq(lane.line)

    def _lane(self, m, name, width, slots, registers, active, locked):
        m.submodules[name] = lane = OutputLane(width)
        m.d.comb += [
            lane.slots.eq(slots),
            lane.active.eq(active),
            lane.locked.eq(locked),
            lane.fault.eq(self.fault),
        ]
        for setting in LANE_SETTINGS.members:
            m.d.comb += lane.settings[setting].eq(getattr(registers.f, setting).data)
        return lane

    def _record(self, m, frame, sequencer, held):
        m.submodules.record = record = Record(OUTPUT_LANE_SPAN)
        chosen = Cat(sequencer.symbols, sequencer.blanked, sequencer.found_unfit)
        m.d.comb += [
            record.time.eq(self.time),
            record.first.eq(frame.first),
            record.not_key.eq(frame.not_key),
            record.begin.eq(delayed(m, frame.begin, SENT_LATENCY - FRAME_CONTROL_LATENCY - 1)),
            record.chosen.eq(CHOSEN_LAYOUT(delayed(m, chosen, LANE_DRIVER_LATENCY))),
            record.fault.eq(self.fault),
            self.sent.eq(record.sent),
            self.blanked.eq(record.blanked),
        ]
        with m.If(held):
            m.d.comb += record.chosen.symbols.eq(SYMBOLS_LAYOUT.const(BLANK_WORD))
        return record

    def _watch(self, m, frame, record):
        """Set flags, keep first offenders, and count blanked pulses."""
        registers = self._registers
        m.submodules.pulses = pulses = PulseCounter()
        m.d.comb += [
            pulses.count.eq(record.blanked),
            pulses.spacing.eq(frame.settings.spacing),
        ]
        with m.If(_asked(registers.snapshot.f.take)):
            m.d.sync += registers.underflow.f.slots.r_data.eq(pulses.pulses)

        events = {
            "underflow": record.blanked,
            "unfit": record.unfit,
            "fault": delayed(m, self.fault, 1),
        }
        for name, event in events.items():
            flag = getattr(registers.flags.f, name)
            m.submodules[f"first_{name}"] = first = FirstOffender()
            m.d.comb += [
                flag.set.eq(event),
                first.event.eq(event),
                first.flag.eq(flag.data),
                first.clear.eq(flag.port.w_stb & flag.port.w_data),
                first.word.eq(self.sent.word),
                getattr(registers, f"first_{name}").f.index.r_data.eq(first.index),
            ]

    def _load(self, m, locked, user_table, lane_table):
        """Let the host write and read the tables."""
        registers = self._registers
        tables = {
            "map": (self._map, 1 << self._random_bits),
            "user": (user_table, USER_WORDS),
            "lane": (lane_table, LOADABLE_ENTRIES),
        }
        refused = []
        for name, (table, writable) in tables.items():
            address, entry = registers.tables[name]
            loader = TableLoader(
                len(table.write_address), len(table.write_entry), writable=writable
            )
            m.submodules[f"{name}_loader"] = loader
            m.d.comb += [
                loader.locked.eq(locked),
                loader.set_address.eq(address.f.address.w_stb),
                loader.address_data.eq(address.f.address.w_data),
                address.f.address.r_data.eq(loader.address),
                loader.put.eq(entry.f.entry.w_stb),
                loader.put_data.eq(entry.f.entry.w_data),
                entry.f.entry.r_data.eq(table.read_entry),
                table.write.eq(loader.write),
                table.write_address.eq(loader.write_address),
                table.write_entry.eq(loader.write_entry),
                table.read_address.eq(loader.address),
            ]
            refused.append(loader.refused)
        m.d.comb += registers.flags.f.refused.set.eq(Cat(refused).any())

    def _marker(self, m):
        m.submodules.marks = marks = Marker()
        m.d.comb += [
            marks.cycle.eq(self.time.cycle),
            marks.interval.eq(self._registers.marker.f.log2_slots.data),
            self.marker.eq(delayed(m, marks.marker, PATTERN_LATENCY - MARKER_LATENCY)),
        ]

    def _start(self, m, locked):
        registers = self._registers
        m.d.comb += [
            self.start.condition.eq(registers.start.f.condition.data),
            self.start.frame.eq(registers.start_frame.f.frame.data),
            registers.status.f.armed.r_data.eq(self.start.armed),
            registers.status.f.locked.r_data.eq(locked),
            registers.pps_index.f.index.r_data.eq(self.start.pps_index),
            registers.pps_lead.f.slots.r_data.eq(self.start.pps_lead),
            registers.layout.f.random_bits.r_data.eq(self._random_bits),
            registers.layout.f.lanes.r_data.eq(LANES),
        ]


def _asked(field):
    """Whether a one is written to a field in this cycle."""
    return field.w_stb & field.w_data
