"""What the pattern promises, proved block by block; and faults planted to see them caught.

Along the way of a symbol: every random field is used once and in order (`Spacer`), becomes the
symbol of its slot or is blanked (`Sequencer`), in a frame that is marked where it has to be
(`FrameControl`); lanes do what the table says for that symbol and never anything but vacuum for a
blanked one (`LaneDriver`, `OutputLane`); and the same symbol is what was sent (`Record`).
"""

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Cover, Elaboratable, Module, Mux, Signal
from amaranth.hdl._ast import AnyConst, AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.modes import PatternMode
from keybeam.protocol.symbols import Intensity
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.transmitter.layouts import SYMBOLS_LAYOUT
from keybeam_gateware.transmitter.pattern.frame_control import FrameControl
from keybeam_gateware.transmitter.pattern.lane_driver import LANE_DRIVER_LATENCY, LaneDriver
from keybeam_gateware.transmitter.pattern.layouts import FRAME_SETTINGS, LANE_SETTINGS
from keybeam_gateware.transmitter.pattern.output_lane import OUTPUT_LANE_LATENCY, OutputLane
from keybeam_gateware.transmitter.pattern.record import Record
from keybeam_gateware.transmitter.pattern.sequencer import SEQUENCER_LATENCY, Sequencer
from keybeam_gateware.transmitter.pattern.spacer import Spacer
from keybeam_gateware.transmitter.pattern.table import LookupTable

PACKAGE = "keybeam_gateware.transmitter.pattern"
INVALID = Intensity.INVALID << 2
YICES = "smtbmc yices"


def age_of_trace(m, limit):
    """Cycles since the start, up to a limit."""
    age = Signal(range(limit + 1))
    with m.If(age != limit):
        m.d.sync += age.eq(age + 1)
    return age


class FieldsOnceInOrder(Elaboratable):
    """Words carry the numbers of their fields; those must come out without a gap."""

    WIDTH = 3

    def __init__(self, spacer=Spacer):
        self._spacer = spacer

    def elaborate(self, platform):
        m = Module()
        m.submodules.spacer = spacer = self._spacer(self.WIDTH)
        spacing = AnyConst(3)
        taken, expected = Signal(self.WIDTH), Signal(self.WIDTH)
        numbers = [(taken + place)[: self.WIDTH] for place in range(4)]
        m.d.comb += [
            spacer.spacing.eq(spacing),
            spacer.words.payload.eq(Cat(numbers)),
            spacer.words.valid.eq(AnySeq(1)),
            spacer.take.eq(AnySeq(1)),
            spacer.clear.eq(AnySeq(1)),
        ]
        used = spacer.take & spacer.there
        after_taken = Mux(spacer.words.valid & spacer.words.ready, taken + 4, taken)
        count = Mux(spacing == 0, 4, Mux(spacing == 1, 2, 1))
        m.d.sync += [
            taken.eq(after_taken),
            # Only what `clear` forgets is left out.
            expected.eq(Mux(spacer.clear, after_taken, Mux(used, expected + count, expected))),
        ]
        next_one = (expected + 1)[: self.WIDTH]
        with m.If(used):
            m.d.comb += Assert(spacer.slot_0 == expected)
            with m.If(spacing == 1):
                m.d.comb += Assert(spacer.slot_2 == next_one)
            with m.If(spacing == 0):
                for slot in (1, 2, 3):
                    number = (expected + slot)[: self.WIDTH]
                    m.d.comb += Assert(getattr(spacer, f"slot_{slot}") == number)
        # What waits is what comes next.
        m.d.comb += Assert(taken == (expected + spacer.left)[: self.WIDTH])
        for place in range(3):
            field = spacer.rest.word_select(place, self.WIDTH)
            number = (expected + place)[: self.WIDTH]
            m.d.comb += Assert((spacer.left <= place) | (field == number))
        m.d.comb += [
            Assert((spacing != 0) | (spacer.left == 0)),
            Assert((spacing != 1) | ~spacer.left[0]),
            Assert(~spacer.words.ready | spacer.take),
            Cover((spacing > 1) & (spacer.left == 1)),
        ]
        return m


def test_every_random_field_is_used_once_and_in_order(tmp_path):
    assert_proved(FieldsOnceInOrder(), depth=2, folder=tmp_path)
    assert_reached(FieldsOnceInOrder(), depth=6, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.left.eq(self.left - 2)", "self.left.eq(self.left - 1)"),
        ("self.rest.eq(Cat(each[1], each[2], each[3]))", "self.rest.eq(Cat(each[:3]))"),
        ("self.words.ready.eq(self.take & ~self.waiting)", "self.words.ready.eq(self.take)"),
    ],
)
def test_a_field_used_twice_or_skipped_is_caught(tmp_path, old, new):
    faulty = mutated(f"{PACKAGE}.spacer", old, new)
    assert_refuted(FieldsOnceInOrder(faulty.Spacer), depth=6, folder=tmp_path)


class SymbolOfItsSlot(Elaboratable):
    """Each slot has the symbol of its own bits, from the source of its mode, or is blanked."""

    BITS = 2

    def __init__(self, sequencer=Sequencer):
        self._sequencer = sequencer

    def elaborate(self, platform):
        m = Module()
        bits = self.BITS
        m.submodules.sequencer = sequencer = self._sequencer(bits)
        m.submodules.map = table = LookupTable(4, [1, 5, 8, 2], lookups=4)
        mode = Signal(PatternMode)
        m.d.comb += [
            mode.eq(AnySeq(3)),
            sequencer.settings.eq(FRAME_SETTINGS(Cat(mode, AnySeq(7)))),
            sequencer.slots.eq(AnySeq(4)),
            sequencer.fit.eq(AnySeq(1)),
            sequencer.unfit.eq(AnySeq(1)),
            sequencer.key_there.eq(AnySeq(1)),
            sequencer.user.eq(AnySeq(16)),
            Assume(sequencer.slots[0] | (sequencer.slots == 0)),
        ]
        latency = SEQUENCER_LATENCY
        fit = sequencer.fit & sequencer.key_there
        key_then, slots, fit_then, unfit = (
            delayed(m, value, latency)
            for value in (mode == PatternMode.KEY, sequencer.slots, fit, sequencer.unfit)
        )
        mode_then = delayed(m, mode, latency)
        fixed = delayed(m, sequencer.settings.symbol, latency)
        user = SYMBOLS_LAYOUT(delayed(m, sequencer.user, 1))
        old = age_of_trace(m, latency) == latency
        blanked = key_then & slots[0] & ~fit_then
        checks = [
            Assert(sequencer.blanked == blanked),
            Assert(sequencer.found_unfit == unfit),
            Assert(sequencer.pulses == Mux(mode_then == PatternMode.OFF, 0, slots)),
        ]
        for slot in range(4):
            key, prbs = getattr(sequencer, f"key_{slot}"), getattr(sequencer, f"prbs_{slot}")
            m.d.comb += [
                key.eq(AnySeq(bits)),
                prbs.eq(AnySeq(bits)),
                getattr(table, f"address_{slot}").eq(getattr(sequencer, f"address_{slot}")),
                getattr(sequencer, f"entry_{slot}").eq(getattr(table, f"entry_{slot}")),
            ]
            word = table.memories[slot].read_port(domain="comb")
            m.d.comb += word.addr.eq(
                Mux(key_then, delayed(m, key, latency), delayed(m, prbs, latency - 1))
            )
            expected = Signal(4, name=f"expected_{slot}")
            with m.If(~slots[slot] | (mode_then == PatternMode.OFF) | blanked):
                m.d.comb += expected.eq(INVALID)
            with m.Elif(mode_then == PatternMode.FIXED):
                m.d.comb += expected.eq(fixed)
            with m.Elif(mode_then == PatternMode.USER):
                m.d.comb += expected.eq(user[f"slot_{slot}"])
            with m.Else():
                m.d.comb += expected.eq(word.data)
            checks.append(Assert(sequencer.symbols[f"slot_{slot}"] == expected))
        with m.If(old):
            m.d.comb += checks
        # Bits are taken exactly when the mode asks for them.
        prbs = (mode >= PatternMode.PRBS7) & (mode <= PatternMode.PRBS31)
        m.d.comb += [
            Assert(
                sequencer.key_take
                == (sequencer.slots[0] & (mode == PatternMode.KEY) & sequencer.fit)
            ),
            Assert(sequencer.prbs_take == delayed(m, prbs & sequencer.slots[0], 1)),
            Cover(old & sequencer.blanked),
        ]
        return m


def test_every_slot_has_the_symbol_of_its_own_bits_or_is_blanked(tmp_path):
    assert_proved(SymbolOfItsSlot(), depth=7, folder=tmp_path, engine=YICES)
    assert_reached(SymbolOfItsSlot(), depth=8, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(key & self.fit & self.key_there) | prbs", "(key & self.key_there) | prbs"),
        (
            'delayed(m, getattr(self, f"key_{slot}"), 1)',
            'delayed(m, getattr(self, f"key_{slot}"), 2)',
        ),
        ("self.key_take.eq(pulse & key & self.fit)", "self.key_take.eq(pulse & self.fit)"),
    ],
)
def test_a_symbol_without_its_bits_is_caught(tmp_path, old, new):
    faulty = mutated(f"{PACKAGE}.sequencer", old, new)
    assert_refuted(SymbolOfItsSlot(faulty.Sequencer), depth=9, folder=tmp_path)


class MarkedFrames(Elaboratable):
    """Settings and marks change at borders only, and no frame lacks a mark that it needs."""

    CYCLE_BITS = 3

    def __init__(self, control=FrameControl):
        self._control = control

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = control = self._control()
        cycle = Signal(self.CYCLE_BITS)
        running, starts = Signal(), Signal()
        last = cycle == (1 << self.CYCLE_BITS) - 1
        following = AnySeq(1)
        m.d.sync += [cycle.eq(cycle + 1), starts.eq(last & following & ~running)]
        with m.If(last):
            m.d.sync += running.eq(following)
        m.d.comb += [
            control.time.cycle.eq(cycle),
            control.time.running.eq(running),
            control.time.first.eq(starts),
            control.wanted.eq(FRAME_SETTINGS(AnySeq(10))),
            control.live.eq(AnySeq(1)),
            control.waiting_unfit.eq(AnySeq(1)),
            control.set_not_key.eq(AnySeq(1)),
            control.clear_not_key.eq(AnySeq(1)),
        ]
        # Cycle 1 of a frame is when it is decided: its outputs begin in cycle 2.
        decides = Signal()
        m.d.comb += decides.eq(cycle == 1)
        self._borders(m, control, cycle)
        self._marks(m, control, decides)
        return m

    def _borders(self, m, control, cycle):
        same = Cat(control.settings, control.running, control.first, control.not_key)
        before, spacing = delayed(m, same, 1), delayed(m, control.settings.spacing, 1)
        age = age_of_trace(m, 3)
        with m.If(age == 3):
            m.d.comb += [
                Assert(control.begin == (cycle == 2)),
                Assert((same == before) | control.begin),
                Assert((control.settings.spacing == spacing) | (control.begin & control.first)),
                Assert((control.slots == 0) | control.running),
            ]

    def _marks(self, m, control, decides):
        key = control.settings.mode == PatternMode.KEY
        # Since the last decision: requests, and whether all bits were fit.
        set_asked, clear_asked, all_live = Signal(), Signal(), Signal(init=1)
        m.d.sync += [
            set_asked.eq(~decides & (set_asked | control.set_not_key)),
            clear_asked.eq(
                Mux(decides, control.clear_not_key, clear_asked | control.clear_not_key)
            ),
            all_live.eq(decides | (all_live & control.live)),
        ]
        whole = all_live & control.live
        sent_key = control.running & key & ~control.not_key
        m.d.comb += [
            Assert(key | control.not_key),
            # In a frame that can become key random bits are sent only while all have been fit.
            Assert(~(sent_key & control.fit) | whole),
            Assert(~(sent_key & whole) | control.fit),
            Assert(control.fit | sent_key),
        ]
        was_marked, was_set, was_cleared, was_fit, could_be_key, spoiled = (
            delayed(m, value, 1)
            for value in (
                control.not_key,
                set_asked | control.set_not_key,
                clear_asked,
                control.live & (delayed(m, control.time.first, 1) | ~control.waiting_unfit),
                control.wanted.mode == PatternMode.KEY,
                sent_key & ~whole,
            )
        )
        decided = delayed(m, decides, 1)
        with m.If(decided):
            m.d.comb += [
                Assert(control.not_key | ~was_set),
                Assert(control.not_key | ~spoiled),
                Assert(control.not_key | was_fit | ~control.running),
                # The mark goes only on request, in mode KEY and with fit bits.
                Assert(control.not_key | ~was_marked | (was_cleared & could_be_key & was_fit)),
                Cover(was_marked & ~control.not_key),
                Cover(spoiled),
            ]
        # These registers of the device and of the proof say the same.
        m.d.comb += [
            Assert(control.set_asked == set_asked),
            Assert(control.clear_asked == clear_asked),
            Assert(control.spoiled == (sent_key & ~all_live)),
            Assert(control.strict == sent_key),
        ]


def test_frames_are_marked_and_change_at_borders_only(tmp_path):
    assert_proved(MarkedFrames(), depth=4, folder=tmp_path)
    assert_reached(MarkedFrames(), depth=22, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("            ~key_wanted\n            | (running", "            (running"),
        ("| (running & ~live)\n", "\n"),
        ("| (spoiled | found)\n", "\n"),
        ("(clear_asked & live)", "clear_asked"),
        ("self.fit.eq(~found & ~spoiled)", "self.fit.eq(~found)"),
        (
            "with m.If(border):\n            m.d.sync += [\n                self.settings",
            "with m.If(1):\n            m.d.sync += [\n                self.settings",
        ),
        ("with m.If(self.starts)", "with m.If(border)"),
    ],
)
def test_a_frame_that_lacks_its_mark_is_caught(tmp_path, old, new):
    faulty = mutated(f"{PACKAGE}.frame_control", old, new)
    assert_refuted(MarkedFrames(faulty.FrameControl), depth=24, folder=tmp_path)


class LanesOfTheSymbol(Elaboratable):
    """Lanes do what the table says for the pulse of their slot; VACUUM for an INVALID one."""

    def __init__(self, driver=LaneDriver):
        self._driver = driver

    def elaborate(self, platform):
        m = Module()
        m.submodules.driver = driver = self._driver()
        spacing, cycle = AnyConst(3), Signal(2)
        pulse = Mux(spacing <= 2, 1, Mux(spacing == 3, ~cycle[0], cycle == 0))
        pattern = Array([0b1111, 0b0101, 1, 1, 1])[spacing]
        symbols = SYMBOLS_LAYOUT(AnySeq(16))
        m.d.sync += cycle.eq(cycle + 1)
        m.d.comb += [
            Assume(spacing <= 4),
            driver.spacing.eq(spacing),
            driver.cycle.eq(cycle),
            driver.symbols.eq(symbols),
            driver.pulses.eq(Mux(pulse, pattern, 0)),
        ]
        held = Signal(4)
        symbol, position = held, None
        old = age_of_trace(m, 8) == 8
        for slot in range(4):
            shown = Signal(4, name=f"shown_{slot}")
            begins = driver.pulses[slot]
            m.d.comb += shown.eq(Mux(begins, driver.symbols[f"slot_{slot}"], symbol))
            symbol = shown
            position = (4 * cycle + slot) & ((1 << spacing) - 1)
            sent = Mux(shown >= INVALID, Intensity.VACUUM << 2 | shown & 3, shown)
            word = driver.table.memories[slot].read_port(domain="comb")
            m.d.comb += word.addr.eq(delayed(m, Cat(position[:4], sent[:4]), LANE_DRIVER_LATENCY))
            address = getattr(driver.table, f"address_{slot}")
            with m.If(old):
                m.d.comb += [
                    Assert(getattr(driver, f"slot_{slot}") == word.data),
                    Assert(address < INVALID << 4),
                ]
        m.d.sync += held.eq(symbol)
        m.d.comb += Cover(old & (held == INVALID) & (spacing == 4))
        return m


def test_lanes_follow_the_table_and_send_vacuum_for_what_is_invalid(tmp_path):
    assert_proved(LanesOfTheSymbol(), depth=9, folder=tmp_path, engine=YICES)
    assert_reached(LanesOfTheSymbol(), depth=10, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("symbol[2] & ~symbol[3]", "symbol[2]"),
        ("self.spacing > bit", "self.spacing >= bit"),
    ],
)
def test_light_in_a_blanked_slot_is_caught(tmp_path, old, new):
    faulty = mutated(f"{PACKAGE}.lane_driver", old, new)
    assert_refuted(LanesOfTheSymbol(faulty.LaneDriver), depth=12, folder=tmp_path, engine=YICES)


class LineOfTheSlots(Elaboratable):
    """A lane shows each slot after its delay, and the idle level wherever it must."""

    CYCLES = 17

    def __init__(self, lane=OutputLane):
        self._lane = lane

    def elaborate(self, platform):
        m = Module()
        m.submodules.lane = lane = self._lane(1)
        settings = LANE_SETTINGS(AnyConst(LANE_SETTINGS.size))
        settled = OUTPUT_LANE_LATENCY + self.CYCLES + 2
        age = age_of_trace(m, settled)
        m.d.comb += [
            lane.slots.eq(AnySeq(4)),
            lane.active.eq(AnySeq(1)),
            lane.settings.eq(settings),
            lane.fault.eq(AnySeq(1)),
            # Settings are taken up before anything is sent.
            Assume((age > 1) | ~lane.active),
        ]
        idle = settings.idle.replicate(4)
        # The slots of the last cycles, as they shall be at the pin; a fault takes them all away.
        given = Mux(lane.active, lane.slots ^ settings.invert.replicate(4), idle)
        history = [given]
        for number in range(OUTPUT_LANE_LATENCY - 1 + self.CYCLES):
            kept = Signal(4, name=f"history_{number}")
            m.d.sync += kept.eq(Mux(lane.fault, idle, history[-1]))
            history.append(kept)
        then = Cat(reversed(history[OUTPUT_LANE_LATENCY - 1 :]))
        shown = Array([then[4 * self.CYCLES - delay :][:4] for delay in range(64)])[settings.delay]
        expected = Signal(4)
        m.d.sync += expected.eq(Mux(lane.fault | ~settings.enable, idle, shown))
        with m.If(age == settled):
            m.d.comb += Assert(lane.line == expected)
        m.d.comb += Cover((age == settled) & (lane.line == 0b0101) & (settings.delay == 63))
        return m


def test_a_lane_is_its_slots_after_the_delay_or_idle(tmp_path):
    assert_proved(LineOfTheSlots(), depth=27, folder=tmp_path, engine=YICES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ResetInserter(self.fault)(_Delay(self._width))", "_Delay(self._width)"),
        ("enabled = taken.enable & ~self.fault", "enabled = taken.enable"),
        ("Mux(self.active, self.slots ^ flip, 0)", "self.slots ^ flip"),
        ("both[(SYMBOLS_PER_WORD - slots)", "both[(SYMBOLS_PER_WORD - 1 - slots)"),
    ],
)
def test_a_lane_that_shows_something_else_is_caught(tmp_path, old, new):
    faulty = mutated(f"{PACKAGE}.output_lane", old, new)
    assert_refuted(LineOfTheSlots(faulty.OutputLane), depth=32, folder=tmp_path, engine=YICES)


class SentIsWhatWasChosen(Elaboratable):
    """The record holds the symbols that went to the lanes, unless a fault stopped them there."""

    SPAN = 3

    def __init__(self, record=Record):
        self._record = record

    def elaborate(self, platform):
        m = Module()
        m.submodules.record = record = self._record(self.SPAN)
        m.d.comb += [
            record.time.eq(AnySeq(len(record.time.as_value()))),
            record.first.eq(AnySeq(1)),
            record.not_key.eq(AnySeq(1)),
            record.begin.eq(AnySeq(1)),
            record.chosen.eq(AnySeq(18)),
            record.fault.eq(AnySeq(1)),
        ]
        stopped = Const(0)
        for age in range(1, self.SPAN + 1):
            stopped |= delayed(m, record.fault, age)
        chosen = delayed(m, record.chosen, self.SPAN)
        blank = sum(INVALID << 4 * slot for slot in range(4))
        old = age_of_trace(m, self.SPAN) == self.SPAN
        begun = delayed(m, record.begin, 1)
        word, valid = record.sent.word, record.sent.valid
        symbols = record.sent.symbols.as_value()
        whole = Cat(word[14:], record.sent.not_key, valid)
        word_before, whole_before = delayed(m, word[:14], 1), delayed(m, whole, 1)
        with m.If(old):
            m.d.comb += [
                Assert(symbols == Mux(stopped, blank, chosen[:16])),
                Assert(Cat(record.blanked, record.unfit) == chosen[16:]),
                # What is true of a frame changes with its first word only; words are counted.
                Assert(begun | (whole == whole_before)),
                Assert(begun | (word[:14] == (word_before + 1)[:14])),
                Assert(~begun | (word[:14] == 0)),
                Assert(begun | ~record.sent.first),
            ]
        m.d.comb += Cover(old & ~stopped & (symbols != blank))
        return m


def test_what_was_sent_is_what_went_to_the_lanes(tmp_path):
    assert_proved(SentIsWhatWasChosen(), depth=5, folder=tmp_path)
    assert_reached(SentIsWhatWasChosen(), depth=8, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ResetInserter(self.fault)(_Symbols(self._span))", "_Symbols(self._span)"),
        ("init=BLANK_WORD, name", "name"),
    ],
)
def test_a_record_of_something_else_is_caught(tmp_path, old, new):
    faulty = mutated(f"{PACKAGE}.record", old, new)
    assert_refuted(SentIsWhatWasChosen(faulty.Record), depth=8, folder=tmp_path)
