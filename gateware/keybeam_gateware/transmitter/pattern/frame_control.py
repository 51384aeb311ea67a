"""Takes settings up at frame borders, and decides which frames must not become key."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.modes import PatternMode
from keybeam.protocol.symbols import SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.layouts import TIME_LAYOUT
from keybeam_gateware.transmitter.pattern.layouts import FRAME_SETTINGS

__all__ = ["FRAME_CONTROL_LATENCY", "FrameControl"]

FRAME_CONTROL_LATENCY = 2
"""Cycles from `FrameControl.time` to its outputs."""


class FrameControl(wiring.Component):
    """Settings of the frame, its pulses, and the latch *not key*.

    At the beginning of a frame the wanted mode and symbol are taken up, and
    the spacing when the pattern starts. The frame must not become key if its
    mode is not KEY, if the pattern runs on bits that are not fit for keys, if
    `set_not_key` came since the last border, if bits became unfit during the
    last frame, or if the frame before it must not. `clear_not_key` ends only
    the last of these reasons, for the frame that begins next, and only if its
    mode is KEY and bits fit for keys come then; it is not kept for later.

    When bits become unfit in the middle of a frame that can become key, `fit`
    is low until its end: nothing random is to be sent in it any more.

    Members
    -------
    time : In(TIME_LAYOUT)
        Where the cycle stands.
    wanted : In(FRAME_SETTINGS)
        What shall be taken up.
    live : In(1)
        Random bits that come now are fit for keys.
    waiting_unfit : In(1)
        Bits that came earlier and wait are not.
    set_not_key, clear_not_key : In(1)
        Requests of the host.
    settings : Out(FRAME_SETTINGS)
        Those of the frame; like all outputs `FRAME_CONTROL_LATENCY` cycles after `time`.
    begin : Out(1)
        First cycle of a frame.
    starts : Out(1)
        The pattern starts with the next cycle.
    running : Out(1)
        The pattern runs.
    slots : Out(4)
        Slots with a pulse.
    first : Out(1)
        The frame is the first since the pattern started.
    not_key : Out(1)
        The frame must not become key; the same in all its cycles.
    fit : Out(1)
        Random bits may be sent in this cycle.
    unfit : Out(1)
        Bits are found unfit in this cycle, or in the first cycle of a frame were before it.
    """

    time: In(TIME_LAYOUT)
    wanted: In(FRAME_SETTINGS)
    live: In(1)
    waiting_unfit: In(1)
    set_not_key: In(1)
    clear_not_key: In(1)
    settings: Out(FRAME_SETTINGS)
    begin: Out(1)
    starts: Out(1)
    running: Out(1)
    slots: Out(SYMBOLS_PER_WORD)
    first: Out(1)
    not_key: Out(1)
    fit: Out(1)
    unfit: Out(1)

    def __init__(self) -> None:
        super().__init__()
        self.strict = Signal()
        self.spoiled = Signal()
        self.set_asked = Signal()
        self.clear_asked = Signal()

    def elaborate(self, platform):
        m = Module()
        border, running, first = Signal(), Signal(), Signal()
        cycle = Signal(2)
        m.d.sync += [
            border.eq(self.time.cycle == 0),
            self.starts.eq((self.time.cycle == 0) & self.time.first),
            running.eq(self.time.running),
            first.eq(self.time.first),
            cycle.eq(self.time.cycle),
            self.begin.eq(border),
            self.running.eq(running),
        ]
        with m.If(border):
            m.d.sync += [
                self.settings.mode.eq(self.wanted.mode),
                self.settings.symbol.eq(self.wanted.symbol),
                self.first.eq(first),
            ]
        with m.If(self.starts):
            m.d.sync += self.settings.spacing.eq(self.wanted.spacing)
        self._place_pulses(m, running, cycle)
        self._latch(m, border, running, first)
        return m

    def _place_pulses(self, m, running, cycle):
        """Put a pulse in every 2^spacing slots; a frame begins with one, whatever the spacing."""
        pulse = Signal()
        spacing = self.settings.spacing
        with m.Switch(spacing):
            with m.Case(0, 1, 2):
                m.d.sync += pulse.eq(running)
            with m.Case(3):
                m.d.sync += pulse.eq(running & ~cycle[0])
            with m.Default():
                m.d.sync += pulse.eq(running & (cycle == 0))
        half, whole = pulse & (spacing <= 1), pulse & (spacing == 0)
        m.d.comb += self.slots.eq(Cat(pulse, whole, half, whole))

    def _latch(self, m, border, running, first):
        set_asked, clear_asked, spoiled = self.set_asked, self.clear_asked, self.spoiled
        key_wanted, live, marked = Signal(), Signal(), Signal()
        began_unfit, found = Signal(), Signal()
        m.d.comb += [
            # In a frame that can become key, and only there, unfit bits are not sent.
            found.eq(self.strict & ~self.live),
            self.fit.eq(~found & ~spoiled),
            self.unfit.eq(began_unfit | (found & ~spoiled)),
            key_wanted.eq(self.wanted.mode == PatternMode.KEY),
            # What waits when the pattern starts is forgotten, and so does not matter.
            live.eq(self.live & (first | ~self.waiting_unfit)),
        ]
        keeps = self.not_key & ~(clear_asked & live)
        m.d.comb += marked.eq(
            ~key_wanted
            | (running & ~live)
            | (set_asked | self.set_not_key)
            | (spoiled | found)
            | keeps
        )
        m.d.sync += [
            spoiled.eq(spoiled | found),
            set_asked.eq(set_asked | self.set_not_key),
            clear_asked.eq(clear_asked | self.clear_not_key),
            began_unfit.eq(0),
        ]
        with m.If(border):
            m.d.sync += [
                self.not_key.eq(marked),
                self.strict.eq(running & ~marked),
                began_unfit.eq(running & key_wanted & ~live),
                spoiled.eq(0),
                set_asked.eq(0),
                clear_asked.eq(self.clear_not_key),
            ]
