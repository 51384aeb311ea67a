"""Gates and phase histograms of all tagged channels, with their registers."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import COARSE_BITS, TAGGED_CHANNELS, Channel
from keybeam_gateware.counters import SnapshotCounter
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.time_tagger import EventSignature, TimedEdgeSignature

from .gate import EventGate, MarkerWindow
from .gate_registers import GATE_ADDRESS_BITS, GateRegisters, SlotRegisters
from .phase_histogram import PhaseHistogram
from .slot_clock import SlotClock

__all__ = ["GATING_ADDRESS_BITS", "Gating"]

GATING_ADDRESS_BITS = GATE_ADDRESS_BITS + len(TAGGED_CHANNELS).bit_length()
"""Width of the address of all these registers, in words of the bus."""


class Gating(wiring.Component):
    """Stands between the taggers and the queues of the channels.

    Members
    -------
    events : In(EventSignature()), by the channel's name in small letters
        Events of each tagged channel.
    passed : Out(EventSignature()), likewise
        Those that pass, `EventGate.LATENCY` cycles later.
    sync : In(TimedEdgeSignature())
        Sync words, which may be markers.
    cycle : In(40)
        Number of the present cycle.
    snapshot : In(1)
        Copy all counters to where they are read.
    bus : In(csr)
        Registers: those in ``shared``, and those of each channel under its name.
    """

    def __init__(self) -> None:
        names = {channel: channel.name.lower() for channel in TAGGED_CHANNELS}
        self._shared = SlotRegisters()
        self._registers = {channel: GateRegisters() for channel in names}
        self._decoder = csr.Decoder(addr_width=GATING_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self._decoder.add(self._shared.bridge.bus, name="shared", addr=0)
        for place, (channel, registers) in enumerate(self._registers.items(), 1):
            address = place << GATE_ADDRESS_BITS
            self._decoder.add(registers.bridge.bus, name=names[channel], addr=address)
        every = wiring.Signature({name: Out(EventSignature()) for name in names.values()})
        super().__init__(
            {
                "events": In(every),
                "passed": Out(every),
                "sync": In(TimedEdgeSignature()),
                "cycle": In(COARSE_BITS),
                "snapshot": In(1),
                "bus": In(csr.Signature(addr_width=GATING_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)),
            }
        )
        self.bus.memory_map = self._decoder.bus.memory_map

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = self._decoder
        connect(m, flipped(self.bus), self._decoder.bus)
        m.submodules.shared = self._shared.bridge
        m.submodules.clock = clock = self._add_clock(m)
        m.submodules.window = window = self._add_window(m)
        snapshot = delayed(m, self.snapshot, 1)
        for channel, registers in self._registers.items():
            name = channel.name.lower()
            m.submodules[f"registers_{name}"] = registers.bridge
            m.submodules[f"gate_{name}"] = gate = EventGate()
            m.submodules[f"histogram_{name}"] = histogram = PhaseHistogram()
            connect(m, flipped(getattr(self.events, name)), gate.events)
            connect(m, gate.passed, flipped(getattr(self.passed, name)))
            m.d.comb += [
                gate.phase.eq(clock.phase),
                gate.window_start.eq(window.start),
                gate.window_fresh.eq(window.fresh),
                gate.window_length.eq(self._shared.marker_length.f.steps.data),
                gate.mode.eq(registers.mode.f.mode.data),
                gate.offset.eq(registers.phase.f.offset.data),
                gate.begin.eq(registers.window.f.begin.data),
                gate.width.eq(registers.window.f.width.data),
                histogram.slot_valid.eq(gate.slot_valid),
                histogram.slot_phase.eq(gate.slot_phase),
            ]
            self._show(m, registers, histogram)
            for what, increment in (("rejected", gate.rejected), ("skipped", histogram.skipped)):
                counter = SnapshotCounter(48)
                m.submodules[f"count_{what}_{name}"] = counter
                m.d.comb += [
                    # As late as the snapshot.
                    counter.increment.eq(delayed(m, increment, 1)),
                    counter.snapshot.eq(snapshot),
                    registers.counters[what].f.count.r_data.eq(counter.value),
                ]
        return m

    def _add_clock(self, m: Module) -> SlotClock:
        """Make the slot clock, and set it."""
        clock, shared = SlotClock(), self._shared
        arm = shared.arm.f.start
        m.d.comb += [
            clock.cycle.eq(self.cycle),
            clock.arm.eq(arm.w_stb & arm.w_data),
            clock.at.eq(shared.at.f.cycle.data),
            clock.offset.eq(shared.offset.f.offset.data),
            clock.increment.eq(shared.increment.f.increment.data.as_signed()),
            clock.ramp.eq(shared.ramp.f.ramp.data.as_signed()),
            shared.status.f.armed.r_data.eq(clock.armed),
        ]
        return clock

    def _add_window(self, m: Module) -> MarkerWindow:
        """Make the window that the chosen channel's events open."""
        window, shared = MarkerWindow(), self._shared
        marker = window.marker
        sources = {Channel.SYNC: self.sync} | {
            channel: getattr(self.events, channel.name.lower()) for channel in TAGGED_CHANNELS
        }
        valid = Signal()
        with m.Switch(shared.marker.f.channel.data):
            for channel, source in sources.items():
                with m.Case(channel):
                    m.d.comb += valid.eq(source.valid)
                    m.d.sync += [marker.coarse.eq(source.coarse), marker.fine.eq(source.fine)]
        m.d.sync += marker.valid.eq(valid)
        m.d.comb += window.begin.eq(shared.marker_begin.f.steps.data)
        return window

    def _show(self, m: Module, registers: GateRegisters, histogram: PhaseHistogram) -> None:
        """Put a phase histogram behind its registers."""
        clear, bin_ = registers.histogram_clear.f.start, registers.histogram_bin.f.bin
        m.d.sync += histogram.read.eq(bin_.w_stb)
        with m.If(bin_.w_stb):
            m.d.sync += histogram.address.eq(bin_.w_data)
        m.d.comb += [
            histogram.run.eq(registers.histogram.f.run.data),
            histogram.clear.eq(clear.w_stb & clear.w_data),
            registers.histogram_status.f.busy.r_data.eq(histogram.busy),
            registers.histogram_count.f.count.r_data.eq(histogram.count),
        ]
