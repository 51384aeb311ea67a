"""Gate: which events of a channel are worth a record."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FINE_BITS
from keybeam.protocol.records import TIME_BITS
from keybeam.protocol.slot_phase import MARKER_BITS, SLOT_PHASE_BITS
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.time_tagger.events import EventSignature, TimedEdgeSignature

__all__ = ["EventGate", "GateMode", "MarkerWindow"]

_EXPIRY_BITS = MARKER_BITS - 1 - FINE_BITS
"""A marker is forgotten after 2^17 cycles, half of what `MARKER_BITS` can tell apart."""


class GateMode(enum.Enum, shape=2):
    """What a gate lets pass."""

    OPEN = 0
    """Everything."""
    SLOT = 1
    """Events in a window of the slot, by their phase."""
    MARKER = 2
    """Events in a window after the last marker."""
    SHUT = 3
    """Nothing."""


class MarkerWindow(wiring.Component):
    """Window of time that a marker opens; one for all gates.

    The window begins `begin` after the time of the last marker that has come in; a further marker
    moves it. Events are gated as they come, so a marker opens no window for what went through the
    gate before the marker itself came in: `begin` should be longer than what a marker takes
    from the channels it is compared with. That of the sync-word extractor takes 0.9 µs; for the
    beginning of a frame, `begin` counts from the word before, 104.9 µs earlier.

    Parameters
    ----------
    expiry_bits : int
        A marker is forgotten after 2^expiry_bits cycles.

    Members
    -------
    marker : In(TimedEdgeSignature())
        Markers: events of a channel, or of the sync-word extractor.
    begin : In(32)
        Fine steps (6.4 ns / 2^14) from the marker to the window. With the length less than 2^31.
    start : Out(32)
        Beginning of the window, modulo 2^32 fine steps.
    fresh : Out(1)
        The last marker is less than 2^17 cycles (0.84 ms) old; later, there is no window.
    """

    marker: In(TimedEdgeSignature())
    begin: In(MARKER_BITS)
    start: Out(MARKER_BITS)
    fresh: Out(1)

    def __init__(self, *, expiry_bits: int = _EXPIRY_BITS) -> None:
        self._expiry_bits = expiry_bits
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        age = Signal(self._expiry_bits)
        time = Cat(self.marker.fine, self.marker.coarse)
        oldest = Signal()
        m.d.sync += [age.eq(age + 1), oldest.eq(age == (1 << self._expiry_bits) - 2)]
        with m.If(oldest):
            m.d.sync += self.fresh.eq(0)
        with m.If(self.marker.valid):
            m.d.sync += [
                self.start.eq(time[:MARKER_BITS] + self.begin),
                self.fresh.eq(1),
                age.eq(0),
                oldest.eq(0),
            ]
        return m


class EventGate(wiring.Component):
    """Lets a channel's events pass in a window of the slot, or of the time after a marker.

    Stands between the channel's converter (`TaggerChannel.events`, whose times are calibrated and
    delayed) and its `ChannelFifo`. An event that stands for several has no time of its own and
    passes always, so that the queue marks the loss. Every other event leaves as it came or
    is told by `rejected`.

    The phase of an event is that of the `SlotClock`, `offset`, and the time of the event in
    its cycle together. That time counts with nominal slots: at 100 ppm the end of a cycle is
    0.6 ps off. The slot clock runs on while an event is on its way, so the host puts the age of
    the channel's events into `offset` (`keybeam.timing.slot_phase`); the age of single events
    differs from that by 2 cycles at most, 1.3 ps at 100 ppm.

    Registers a channel: `mode` (2 bits), `offset`, `begin` (12 bits each), `width` (13 bits);
    a counter of 64 bits of `rejected`. For all channels: `begin` and `length` of the marker window
    (32 bits each), and which channel is the marker.

    Members
    -------
    events : In(EventSignature())
        Events; they cannot wait.
    mode : In(GateMode)
        What passes.
    phase : In(12)
        Phase of the slot clock.
    offset : In(12)
        Added to it, in 2^-12 slot.
    begin, width : In(12), In(13)
        Window of the slot, in 2^-12 slot, from 0 to 4096 wide. It may go over the end of the slot.
    window_start, window_fresh : In(32), In(1)
        From a `MarkerWindow`.
    window_length : In(32)
        Fine steps that the window after a marker lasts.
    passed : Out(EventSignature())
        The events that pass, `LATENCY` cycles later.
    rejected : Out(1)
        An event was left out.
    slot_valid, slot_phase : Out(1), Out(12)
        Phase of an event in its slot, whether it passes or not; for the histogram.
    """

    LATENCY = 4
    """Cycles from an event to its passing."""

    events: In(EventSignature())
    mode: In(GateMode)
    phase: In(SLOT_PHASE_BITS)
    offset: In(SLOT_PHASE_BITS)
    begin: In(SLOT_PHASE_BITS)
    width: In(SLOT_PHASE_BITS + 1)
    window_start: In(MARKER_BITS)
    window_fresh: In(1)
    window_length: In(MARKER_BITS)
    passed: Out(EventSignature())
    rejected: Out(1)
    slot_valid: Out(1)
    slot_phase: Out(SLOT_PHASE_BITS)

    def elaborate(self, platform):
        m = Module()
        time = Signal(TIME_BITS)
        m.d.comb += time.eq(Cat(self.events.fine, self.events.coarse))
        # Stage 1: phase in the slot, time after the beginning of the window.
        base, slot = Signal(SLOT_PHASE_BITS), Signal(SLOT_PHASE_BITS)
        since, fresh = Signal(MARKER_BITS), Signal()
        m.d.sync += [
            base.eq(self.phase + self.offset),
            slot.eq(base + time[:SLOT_PHASE_BITS]),
            since.eq(time[:MARKER_BITS] - self.window_start),
            fresh.eq(self.window_fresh),
        ]
        # Stage 2: place in the window of the slot; whether it is in that after the marker.
        place, in_window = Signal(SLOT_PHASE_BITS), Signal()
        m.d.sync += [
            place.eq(slot - self.begin),
            in_window.eq((since < self.window_length) & fresh),
        ]
        # Stage 3: choose. Stage 4: part.
        inside, chosen = Signal(), Signal()
        by_mode = Signal()
        m.d.sync += inside.eq(place < self.width)
        with m.Switch(self.mode):
            with m.Case(GateMode.OPEN):
                m.d.comb += by_mode.eq(1)
            with m.Case(GateMode.MARKER):
                m.d.comb += by_mode.eq(in_window)
        m.d.sync += chosen.eq(by_mode)
        single = self.events.valid & (self.events.weight == 1)
        several = self.events.valid & (self.events.weight != 1)
        lets = Mux(self.mode == GateMode.SLOT, inside, chosen)
        m.d.sync += [
            self.passed.valid.eq(delayed(m, several, 3) | (delayed(m, single, 3) & lets)),
            self.rejected.eq(delayed(m, single, 3) & ~lets),
        ]
        m.d.comb += [
            Cat(self.passed.fine, self.passed.coarse).eq(delayed(m, time, self.LATENCY)),
            self.passed.weight.eq(delayed(m, self.events.weight, self.LATENCY)),
            self.passed.horizon.eq(delayed(m, self.events.horizon, self.LATENCY)),
            self.slot_valid.eq(delayed(m, single, 1)),
            self.slot_phase.eq(slot),
        ]
        return m
