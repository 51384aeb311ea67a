"""Lets the words of a source pass only while its health tests allow it."""

from amaranth.hdl import Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from keybeam.randomness import STARTUP_WINDOWS, WORD_BITS
from keybeam_gateware.randomness.layouts import ALARMS_LAYOUT, random_layout

__all__ = ["GateState", "HealthGate"]


class GateState(enum.Enum, shape=2):
    """How far a source has come."""

    CLEARING = 0
    """The tests are being cleared, for one cycle or as long as the source is held."""
    STARTING = 1
    """Its words are tested and thrown away until enough windows were without an alarm."""
    RELEASED = 2
    """Its words pass."""
    STOPPED = 3
    """An alarm was raised: nothing passes until an explicit restart."""


class HealthGate(wiring.Component):
    """The start-up test, the hard stop, and the ways back.

    Members
    -------
    tested : In(random_layout(16))
        Words that were tested.
    tested_valid : In(1)
        There is one in this cycle.
    alarms : In(ALARMS_LAYOUT)
        Alarms that it raised.
    window_ended : In(1)
        It was the last of a window.
    hold : In(1)
        The source does not send random bits for a while: nothing is tested, nothing passes, and
        the start-up test follows.
    restart : In(1)
        Start anew, also from a hard stop.
    again : In(1)
        Repeat the start-up test, unless the source is in a hard stop.
    clear : Out(1)
        Clear the tests.
    word : Out(random_layout(16))
        Words that passed.
    word_valid : Out(1)
        There is one in this cycle.
    raised : Out(ALARMS_LAYOUT)
        Alarms that lead to a hard stop, in the one cycle before it.
    state : Out(GateState)
        How far the source has come.
    """

    tested: In(random_layout(WORD_BITS))
    tested_valid: In(1)
    alarms: In(ALARMS_LAYOUT)
    window_ended: In(1)
    hold: In(1)
    restart: In(1)
    again: In(1)
    clear: Out(1, init=1)
    word: Out(random_layout(WORD_BITS))
    word_valid: Out(1)
    raised: Out(ALARMS_LAYOUT)
    state: Out(GateState)

    def __init__(self) -> None:
        super().__init__()
        # Registers that a proof has to see.
        self._word = Signal(random_layout(WORD_BITS))
        self._valid, self._ended = Signal(), Signal()
        self._windows = Signal(range(STARTUP_WINDOWS))

    def elaborate(self, platform):
        m = Module()
        word, valid, ended, windows = self._word, self._valid, self._ended, self._windows
        alarms, alarm, clean = Signal(ALARMS_LAYOUT), Signal(), Signal()
        m.d.comb += [
            self.raised.eq(alarms),
            clean.eq(ended & (windows == STARTUP_WINDOWS - 1)),
        ]
        m.d.sync += [
            word.eq(self.tested),
            valid.eq(self.tested_valid & ~self.clear),
            ended.eq(self.window_ended & ~self.clear),
            alarms.eq(self.alarms),
            alarm.eq(self.alarms.as_value().any() & ~self.clear),
            self.word.eq(word),
            self.word_valid.eq(valid & (self.state == GateState.RELEASED) & ~alarm),
        ]
        with m.If(self.clear):
            m.d.sync += alarms.eq(0)

        with m.Switch(self.state):
            with m.Case(GateState.CLEARING):
                m.d.sync += [self._enter(GateState.STARTING), windows.eq(0)]
            with m.Case(GateState.STARTING):
                with m.If(ended):
                    m.d.sync += windows.eq(windows + 1)
                with m.If(clean):
                    m.d.sync += self._enter(GateState.RELEASED)
        with m.If((self.again | self.hold) & (self.state != GateState.STOPPED)):
            m.d.sync += self._enter(GateState.CLEARING)
        with m.If(alarm):
            m.d.sync += self._enter(GateState.STOPPED)
        with m.If(self.restart):
            m.d.sync += self._enter(GateState.CLEARING)
        return m

    def _enter(self, state: GateState):
        """Go to a state; the tests are clear in those in which they do not run."""
        return [
            self.state.eq(state),
            self.clear.eq(state in (GateState.CLEARING, GateState.STOPPED)),
        ]
