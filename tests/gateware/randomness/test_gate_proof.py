"""Proofs of the gate: nothing passes before two clean windows, or in a hard stop."""

import pytest
from amaranth.hdl import Assert, Cover, Elaboratable, Module, Signal, Value
from amaranth.hdl._ast import AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware.randomness.gate import GateState, HealthGate
from keybeam_gateware.randomness.layouts import ALARMS_LAYOUT, random_layout

ENGINE = "smtbmc yices"
CLEARING, STARTING, RELEASED, STOPPED = (state.value for state in GateState)


class OnlyWhenAllowed(Elaboratable):
    """A plain account of windows and alarms, beside the gate.

    Words, alarms and ends of windows count unless the tests are being cleared.
    """

    def __init__(self, gate=HealthGate):
        self._gate = gate

    def elaborate(self, platform):
        m = Module()
        m.submodules.gate = gate = self._gate()
        for port in (gate.tested, gate.alarms):
            m.d.comb += port.eq(AnySeq(len(port.as_value())))
        for port in (gate.tested_valid, gate.window_ended, gate.hold, gate.restart, gate.again):
            m.d.comb += port.eq(AnySeq(1))

        alarm, ended, valid = Signal(), Signal(), Signal()
        word = Signal(random_layout(16))
        m.d.sync += [
            alarm.eq(gate.alarms.as_value().any() & ~gate.clear),
            ended.eq(gate.window_ended & ~gate.clear),
            valid.eq(gate.tested_valid & ~gate.clear),
            word.eq(gate.tested),
        ]
        stopped, windows = Signal(), Signal(2)
        # As a number, because a mutated copy has a type of its own.
        state = Value.cast(gate.state)
        with m.If(gate.restart):
            m.d.sync += stopped.eq(0)
        with m.Elif(alarm):
            m.d.sync += stopped.eq(1)
        with m.If(gate.clear | gate.restart):
            m.d.sync += windows.eq(0)
        with m.Elif(ended & (windows != 2)):
            m.d.sync += windows.eq(windows + 1)

        # What the word that may come out now had to fulfil a cycle ago.
        may, expected = Signal(), Signal(random_layout(16))
        m.d.sync += [may.eq(valid & (windows == 2) & ~stopped & ~alarm), expected.eq(word)]
        m.d.comb += [
            Assert(~gate.word_valid | may),
            Assert(~gate.word_valid | (gate.word.as_value() == expected.as_value())),
            Assert(~stopped | gate.clear),
            Assert(stopped == (state == STOPPED)),
            Assert((gate.raised.as_value() != 0) == alarm),
            Cover(gate.word_valid & gate.word.live),
            Cover(stopped & gate.again),
        ]
        self._inside(m, gate, valid, ended, word, windows)
        # A released gate loses no word but with an alarm.
        was_released = Signal()
        m.d.sync += was_released.eq(valid & (state == RELEASED) & ~alarm)
        m.d.comb += Assert(~was_released | gate.word_valid)
        return m

    def _inside(self, m, gate, valid, ended, word, windows):
        """What holds inside, for the induction."""
        state = Value.cast(gate.state)
        m.d.comb += [
            Assert(gate._valid == valid),
            Assert(gate._ended == ended),
            Assert(gate._word.as_value() == word.as_value()),
            Assert((state != RELEASED) | (windows == 2)),
            Assert((state != STARTING) | (windows == gate._windows)),
            Assert(gate.clear == ((state == CLEARING) | (state == STOPPED))),
        ]


class RestartsOnly(Elaboratable):
    """Out of a hard stop only by a restart."""

    def __init__(self, gate=HealthGate):
        self._gate = gate

    def elaborate(self, platform):
        m = Module()
        m.submodules.gate = gate = self._gate()
        m.d.comb += gate.alarms.eq(AnySeq(ALARMS_LAYOUT.size))
        for port in (gate.tested_valid, gate.window_ended, gate.hold, gate.restart, gate.again):
            m.d.comb += port.eq(AnySeq(1))
        state, stays = Value.cast(gate.state), Signal()
        m.d.sync += stays.eq((state == STOPPED) & ~gate.restart)
        m.d.comb += [
            Assert(~stays | ((state == STOPPED) & ~gate.word_valid)),
            Cover(stays),
        ]
        return m


def test_nothing_passes_before_two_clean_windows_or_in_a_hard_stop(tmp_path):
    assert_proved(OnlyWhenAllowed(), depth=3, folder=tmp_path, engine=ENGINE)
    assert_reached(OnlyWhenAllowed(), depth=10, folder=tmp_path, engine=ENGINE)


def test_only_a_restart_lifts_a_hard_stop(tmp_path):
    assert_proved(RestartsOnly(), depth=3, folder=tmp_path, engine=ENGINE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(self.state == GateState.RELEASED) & ~alarm", "(self.state == GateState.RELEASED)"),
        ("windows == STARTUP_WINDOWS - 1", "windows == STARTUP_WINDOWS - 2"),
        ("valid.eq(self.tested_valid & ~self.clear)", "valid.eq(self.tested_valid)"),
        ("(self.again | self.hold) & (self.state != GateState.STOPPED)", "self.again | self.hold"),
        ("self._enter(GateState.STARTING), windows.eq(0)", "self._enter(GateState.STARTING)"),
    ],
    ids=["with an alarm", "one window", "from before", "lifted by a test", "old windows"],
)
def test_planted_faults_are_caught(tmp_path, old, new):
    faulty = mutated("keybeam_gateware.randomness.gate", old, new)
    assert_refuted(OnlyWhenAllowed(faulty.HealthGate), depth=12, folder=tmp_path, engine=ENGINE)
