"""The source of random bits: from two chips, the host or ring oscillators to the pattern."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from keybeam.protocol.modes import RandomOrigin
from keybeam.protocol.numbers import PULSE_INDEX_BITS, SLOTS_PER_CYCLE
from keybeam.randomness import LANES, WORD_BITS
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.randomness.alignment import ChipAlignment
from keybeam_gateware.randomness.checked_source import CheckedSource
from keybeam_gateware.randomness.gate import GateState
from keybeam_gateware.randomness.gearbox import Gearbox
from keybeam_gateware.randomness.health import HealthTests
from keybeam_gateware.randomness.host_words import HOST_WORDS, HostWords
from keybeam_gateware.randomness.layouts import (
    CHIP_NAMES,
    CHIPS_LAYOUT,
    CHIPS_VALID_LAYOUT,
    random_layout,
)
from keybeam_gateware.randomness.origin import OriginSelector
from keybeam_gateware.randomness.registers import (
    REGISTER_ADDRESS_BITS,
    SOURCE_NAMES,
    RandomRegisters,
)
from keybeam_gateware.randomness.statistics import FirstOffender, WaterMarks, count_events
from keybeam_gateware.randomness.word_fifo import WordFifo
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.stream_buffer import StreamBuffer

__all__ = ["FIFO_WORDS", "RandomSource"]

FIFO_WORDS = 512
"""Words of 16 bits that can wait for the pattern; half as many do before it starts, and bridge a
pause of the chips of 1.6 µs."""

_SLOT_BITS = exact_log2(SLOTS_PER_CYCLE)

_SOURCES_OF_ORIGIN = {
    RandomOrigin.CHIP_A: ("a",),
    RandomOrigin.CHIP_B: ("b",),
    RandomOrigin.BOTH: ("a", "b"),
    RandomOrigin.HOST: (),
    RandomOrigin.RING: ("ring",),
}
"""What has to pass its tests for each origin."""


class RandomSource(wiring.Component):
    """Aligns, tests, combines, keeps and packs random bits; uses none twice and hides no loss.

    Parameters
    ----------
    output_width : int
        Bits of a word of `random`.
    window_words : int, optional
        Words of a window of the health tests, when it shall be another than usual.

    Members
    -------
    chips : In(CHIPS_LAYOUT)
        Raw bits of this cycle of both chips: those of lane 0 lowest, of a lane the earliest
        lowest.
    chip_valid : In(CHIPS_VALID_LAYOUT)
        There are some.
    ring : In(16)
        Raw bits of the ring oscillators.
    ring_valid : In(1)
        There are some in this cycle.
    running : In(1)
        The pattern takes bits. While it does not, only half of the room is filled, and what
        comes beyond is no overflow.
    word_index : In(62)
        Index of the present cycle: its first pulse index, divided by four.
    random : Out(stream.Signature(unsigned(output_width)))
        Random bits, in the order of the words of the chips, lowest bits first.
    live : Out(1)
        The word that `random` offers is of chips that passed their tests, and no fault is
        injected: it is fit for keys. Where no word is offered: the same of words that come now.
    alarm : Out(1)
        A source of the origin in use is in a hard stop: after a word that is offered already no
        bits come.
    bus : In(csr.Signature(addr_width=6, data_width=32))
        Registers: `keybeam_gateware.randomness.registers`.
    """

    def __init__(self, *, output_width: int = WORD_BITS, window_words: int | None = None) -> None:
        self._output_width = output_width
        self._window = {} if window_words is None else {"window_words": window_words}
        self._registers = RandomRegisters()
        super().__init__(
            {
                "chips": In(CHIPS_LAYOUT),
                "chip_valid": In(CHIPS_VALID_LAYOUT),
                "ring": In(WORD_BITS),
                "ring_valid": In(1),
                "running": In(1),
                "word_index": In(PULSE_INDEX_BITS - _SLOT_BITS),
                "random": Out(stream.Signature(unsigned(output_width))),
                "live": Out(1),
                "alarm": Out(1),
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

        pulse_index = Signal(PULSE_INDEX_BITS)
        m.d.sync += pulse_index[_SLOT_BITS:].eq(self.word_index)
        sources = {name: self._check(m, name, pulse_index) for name in SOURCE_NAMES}
        m.submodules.origin = origin = OriginSelector()
        m.submodules.fifo = fifo = WordFifo(random_layout(WORD_BITS), depth=FIFO_WORDS)
        m.submodules.waiting = waiting = StreamBuffer(random_layout(WORD_BITS))
        m.submodules.gearbox = gearbox = Gearbox(WORD_BITS, self._output_width)
        m.submodules.offered = offered = StreamBuffer(random_layout(self._output_width))
        flush = delayed(m, origin.flush, 1)
        m.d.comb += origin.asked.eq(registers.origin.f.origin.data)
        for name, source in sources.items():
            m.d.comb += [
                getattr(origin, name).eq(source.word),
                getattr(origin, f"{name}_valid").eq(source.word_valid),
            ]
        # One for all who look at it from afar.
        level = Signal.like(fifo.level)
        m.d.sync += level.eq(fifo.level)
        self._take_host_words(m, origin, level)
        m.d.comb += [
            fifo.word.eq(origin.word),
            fifo.arrives.eq(origin.word_valid),
            fifo.half.eq(~self.running),
            fifo.clear.eq(flush),
            waiting.clear.eq(flush),
            gearbox.clear.eq(flush),
            offered.flush.eq(flush),
            self.random.valid.eq(offered.output.valid),
            self.random.payload.eq(offered.output.payload.bits),
            offered.output.ready.eq(self.random.ready),
        ]
        connect(m, fifo.output, waiting.input)
        connect(m, waiting.output, gearbox.input)
        connect(m, gearbox.output, offered.input)
        self._judge(m, sources, origin, offered)
        self._count(m, pulse_index, origin, fifo, level)
        return m

    def _check(self, m, name, pulse_index):
        """Health tests of a source, and alignment if it is a chip."""
        registers = self._registers
        source = CheckedSource(HealthTests(**self._window))
        m.submodules[f"source_{name}"] = source
        if name in CHIP_NAMES:
            m.submodules[f"alignment_{name}"] = alignment = ChipAlignment()
            wanted, training = registers.alignment[name].f, registers.training[name].f
            errors = registers.training_errors[name].f
            m.d.comb += [
                alignment.raw.eq(self.chips[name]),
                alignment.raw_valid.eq(self.chip_valid[name]),
                alignment.train.eq(wanted.train.data),
                alignment.manual.eq(wanted.manual.data),
                training.locked.r_data.eq(alignment.locked),
                source.raw.eq(alignment.word),
                source.raw_valid.eq(alignment.word_valid),
                source.hold.eq(alignment.unsettled),
            ]
            for lane in range(LANES):
                delay = f"delay_{lane}"
                m.d.comb += [
                    alignment.delays[f"lane_{lane}"].eq(getattr(wanted, delay).data),
                    getattr(training, delay).r_data.eq(alignment.found[f"lane_{lane}"]),
                    getattr(errors, f"lane_{lane}").r_data.eq(alignment.errors[f"lane_{lane}"]),
                ]
        else:
            m.d.comb += [source.raw.eq(self.ring), source.raw_valid.eq(self.ring_valid)]

        cutoffs, injection = registers.cutoffs[name].f, registers.injection[name].f
        m.d.comb += [
            source.injection.fault.eq(injection.fault.data),
            source.injection.lanes.eq(injection.lanes.data),
            source.restart.eq(self._command(f"restart_{name}")),
            source.again.eq(self._command(f"test_{name}")),
            getattr(registers.status.f, f"state_{name}").r_data.eq(source.state),
        ]
        for cutoff in source.cutoffs.shape().members:
            m.d.comb += source.cutoffs[cutoff].eq(getattr(cutoffs, cutoff).data)
        self._keep_alarms(m, name, source, pulse_index)
        return source

    def _keep_alarms(self, m, name, source, pulse_index):
        """Sticky flags of the alarms, and when the first of them came."""
        flags = self._registers.alarms[name].f
        m.submodules[f"first_alarm_{name}"] = first = FirstOffender()
        known = Signal(name=f"alarm_known_{name}")
        fields = [getattr(flags, test) for test in source.raised.shape().members]
        m.d.comb += [
            Cat(field.set for field in fields).eq(source.raised),
            known.eq(Cat(field.data for field in fields).any()),
            first.event.eq(source.raised.as_value().any()),
            first.flag.eq(known),
            first.pulse_index.eq(pulse_index),
            self._registers.first_alarm[name].f.pulse_index.r_data.eq(first.first),
        ]

    def _take_host_words(self, m, origin, fifo_level):
        """Words of the host wait until there is much room."""
        registers = self._registers
        m.submodules.host = host = HostWords()
        level = Signal.like(host.level)
        written = registers.host_word.f.word
        leaves = (origin.in_use == RandomOrigin.HOST) & origin.flush
        m.d.comb += [
            host.word.eq(written.w_data),
            host.write.eq(written.w_stb),
            registers.flags.f.host_overflow.set.eq(host.dropped),
            registers.host_fifo.f.level.r_data.eq(level),
        ]
        m.d.sync += [
            level.eq(host.level),
            host.clear.eq(self._command("clear_host") | leaves),
            registers.host_fifo.f.free.r_data.eq(HOST_WORDS - host.level),
            origin.room.eq(fifo_level < FIFO_WORDS // 4),
        ]
        connect(m, host.output, origin.host)

    def _judge(self, m, sources, origin, offered):
        """Say whether bits are fit for keys, and stop them on an alarm."""
        status = self._registers.status.f
        stopped, released, injecting, coming = Signal(), Signal(), Signal(), Signal()
        next_valid, next_live = Signal(), Signal()
        used = Signal(len(RandomOrigin))
        with m.Switch(origin.in_use):
            for number, names in _SOURCES_OF_ORIGIN.items():
                states = [sources[name].state for name in names]
                is_live = number in (RandomOrigin.CHIP_A, RandomOrigin.CHIP_B, RandomOrigin.BOTH)
                with m.Case(number):
                    m.d.comb += stopped.eq(Cat(s == GateState.STOPPED for s in states).any())
                    m.d.sync += released.eq(
                        Cat(s == GateState.RELEASED for s in states).all() if is_live else 0
                    )
                    with m.If(origin.word_valid):
                        m.d.sync += used.eq(used | 1 << number)
            with m.Default():
                m.d.sync += released.eq(0)
        m.d.sync += [
            self.alarm.eq(stopped),
            # What is offered next is known a cycle before, and so is whether it is fit.
            self.live.eq(Mux(next_valid, next_live, coming) & ~injecting),
        ]
        m.d.comb += [
            injecting.eq(Cat(source.injecting for source in sources.values()).any()),
            coming.eq(released & ~origin.flush),
            next_valid.eq(Mux(offered.moves, offered.following_valid, 1)),
            next_live.eq(Mux(offered.moves, offered.following.live, offered.output.payload.live)),
            origin.stop.eq(self.alarm),
            status.origin.r_data.eq(origin.in_use),
            status.live.r_data.eq(self.live),
            status.alarm.r_data.eq(self.alarm),
            self._registers.origins_used.f.origins.r_data.eq(used),
        ]

    def _count(self, m, pulse_index, origin, fifo, level):
        """Counters, flags, marks and first offenders."""
        registers = self._registers
        flags = registers.flags.f
        take = registers.snapshot.f.take
        snapshot = Signal()
        taken, dropped, overflow, starved = Signal(), Signal(), Signal(), Signal()
        # The FIFO takes some cycles to fill more than half of its room.
        full_room = delayed(m, self.running, 3)
        m.d.comb += snapshot.eq(take.w_stb & take.w_data)
        m.d.sync += [
            taken.eq(fifo.arrives & ~fifo.dropped & ~fifo.clear),
            dropped.eq(fifo.dropped),
            overflow.eq(fifo.dropped & self.running & full_room),
            starved.eq(self.running & self.random.ready & ~self.random.valid),
        ]
        for name, event in (
            ("taken", taken),
            ("dropped", dropped),
            ("unpaired", origin.lost),
            ("starved", starved),
        ):
            count_events(m, name, event, snapshot, getattr(registers, name).f.count)
        m.d.comb += flags.unpaired.set.eq(origin.lost)
        for name, event in (("overflow", overflow), ("underflow", starved)):
            flag = getattr(flags, name)
            m.submodules[f"first_{name}"] = first = FirstOffender()
            m.d.comb += [
                flag.set.eq(event),
                first.event.eq(event),
                first.flag.eq(flag.data),
                first.pulse_index.eq(pulse_index),
                getattr(registers, f"first_{name}").f.pulse_index.r_data.eq(first.first),
            ]

        m.submodules.marks = marks = WaterMarks(FIFO_WORDS)
        m.d.comb += [
            marks.level.eq(level),
            marks.clear.eq(self._command("clear_marks")),
            registers.level.f.level.r_data.eq(level),
            registers.level.f.low.r_data.eq(marks.low),
            registers.level.f.high.r_data.eq(marks.high),
        ]

    def _command(self, name):
        field = getattr(self._registers.control.f, name)
        return field.w_stb & field.w_data
