"""The receiver core: from sampled inputs to tag records and messages."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.numbers import FRAME_BITS
from keybeam.protocol.records import (
    AUXILIARY_CHANNELS,
    COARSE_BITS,
    DETECTOR_CHANNELS,
    SAMPLED_FINE_STEP,
    Channel,
    RecordType,
)
from keybeam.protocol.tagger import DELAY_LINE_TAPS, NOMINAL_TAP_PS
from keybeam_gateware.counters import SnapshotCounter
from keybeam_gateware.line import LineReceiver
from keybeam_gateware.line import registers as line_registers
from keybeam_gateware.pipeline import delayed, earlier_cycle
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

from . import registers
from .channel_fifo import ChannelFifo
from .gating import GATING_ADDRESS_BITS, Gating
from .markers import EpochSource, FenceSource
from .merge import TimeOrderedMerge
from .tagging import TAGGING_ADDRESS_BITS, Tagging, pictures_layout

__all__ = ["MERGE_LATENCY", "ReceiverCore"]

MERGE_LATENCY = 1024
"""Cycles within which every record shows at the merge. The slowest are edges with the most negative
delay, 512 cycles, and some 40 cycles of pipelines. (A FRAME shows 205 cycles after its SYNC: 64
bits of sync word, 96 of header, and pipelines.)"""

SYNC_AGE = 128
"""More cycles than from the first sample of a sync word until its event."""

ADDRESS_BITS = 7

_TYPES = dict.fromkeys(Channel, RecordType.TAG) | {
    Channel.SYNC: RecordType.SYNC,
    Channel.PPS: RecordType.PPS,
}


class ReceiverCore(wiring.Component):
    """Everything of the receiver that is not board or link.

    **Times.** Clock edges are numbered from 0 on, the first one after reset being 0. Sample k of
    the inputs at edge c is sample n = 4c + k and has the time n × 1600 ps: coarse time c, fine time
    k × `SAMPLED_FINE_STEP`, modulo 2^40 cycles. There is no other offset; the lengths of all
    pipelines are taken into account. In these terms the times of the records are:

    - TAG, PPS, timed by the sampled inputs: number of the first high sample after a low one; before
      sample 0 all is low. Timed by delay lines: as the channel's table and delay say.
    - SYNC: number of the first sample of the sync word's seventh bit, its first one, less 24. As
      six zeros come before, that sample is a first high one, too. (Only where the line has no
      edge there within a sample of the sampling phase, because of a bit error, the phase stands
      for it.)
    - EPOCH: whole multiples of the period as long as that is not changed.
    - FENCE: stands behind all records earlier than the write of its register.

    **Order.** Records leave in the order of their times; equal times in the order of the channels'
    numbers, then EPOCH, FENCE. FRAME directly follows its SYNC. A GAP_BEGIN has the place of the
    first lost event; a GAP_END comes before the first event that is recorded again.

    Parameters
    ----------
    frame_bits : int
        Line bits of a frame.
    fifo_depth : int
        Entries of each channel's queue, a power of two.
    lines, taps, tap_ps
        As those of `Tagging`.

    Members
    -------
    line : In(4)
        Samples of the downlink, earliest lowest.
    detectors : In(ArrayLayout(4, 4))
        Samples of the detectors H, V, D, A.
    pps : In(4)
        Samples of the pulse-per-second input.
    auxiliary : In(ArrayLayout(4, 2))
        Samples of the auxiliary inputs.
    pictures : In(pictures_layout(lines, taps))
        Pictures of the delay lines behind the inputs, taken at the clock edge that begins the
        cycle; only with delay lines.
    pulser, pulser_run, calibrate
        As those of `keybeam_gateware.time_tagger.TaggerShared`.
    records : Out(stream(64))
        Tag records (`keybeam.protocol.records`).
    message : Out(stream(8))
        Payload of the frames whose check sum held.
    bus : In(csr)
        Registers of all that is not in the other two.
    tagger_bus, gate_bus : In(csr)
        Registers of the time-tagger, and of gates and phase histograms.
    """

    def __init__(
        self,
        *,
        frame_bits: int = FRAME_BITS,
        fifo_depth: int = 512,
        lines: int = 0,
        taps: int = DELAY_LINE_TAPS,
        tap_ps: float = NOMINAL_TAP_PS,
    ) -> None:
        self._frame_bits = frame_bits
        self._fifo_depth = fifo_depth
        self._tagging = Tagging(lines=lines, taps=taps, tap_ps=tap_ps)
        self._gating = Gating()
        self._add_registers()
        pictures = {"pictures": In(pictures_layout(lines, taps))} if lines else {}
        super().__init__(
            pictures
            | {
                "line": In(4),
                "detectors": In(data.ArrayLayout(unsigned(4), len(DETECTOR_CHANNELS))),
                "pps": In(4),
                "auxiliary": In(data.ArrayLayout(unsigned(4), len(AUXILIARY_CHANNELS))),
                "pulser": In(1),
                "pulser_run": Out(1),
                "calibrate": Out(len(Channel)),
                "records": Out(stream.Signature(64)),
                "message": Out(stream.Signature(8)),
                "bus": In(csr.Signature(addr_width=ADDRESS_BITS, data_width=CSR_DATA_WIDTH)),
                "tagger_bus": In(
                    csr.Signature(addr_width=TAGGING_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
                ),
                "gate_bus": In(
                    csr.Signature(addr_width=GATING_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
                ),
            }
        )
        self.bus.memory_map = self._bridge.bus.memory_map
        self.tagger_bus.memory_map = self._tagging.bus.memory_map
        self.gate_bus.memory_map = self._gating.bus.memory_map

    def _add_registers(self) -> None:
        builder = csr.Builder(addr_width=ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self._control = builder.add("control", registers.Control())
        self._channels = builder.add("channels", registers.Channels())
        self._line = builder.add("line", line_registers.Line())
        self._sync = builder.add("sync", line_registers.Sync())
        self._sync_word = builder.add("sync_word", line_registers.SyncWord())
        self._epoch = builder.add("epoch", registers.Epoch())
        self._fence = builder.add("fence", registers.Fence())
        self._status = builder.add("status", registers.Status())
        self._events = builder.add("events", registers.Events())
        self._snapshot = builder.add("snapshot", registers.Snapshot())
        self._time = builder.add("time", registers.Time())
        self._line_counts = {
            name: builder.add(name, line_registers.counter_register(meaning, 32))
            for name, meaning in line_registers.LINE_COUNTERS.items()
        }
        self._event_counts = {
            (name, channel): builder.add(
                f"{name}_{channel.name.lower()}",
                line_registers.counter_register(meaning.format(channel.name), 64),
            )
            for channel in Channel
            for name, meaning in registers.EVENT_COUNTERS.items()
        }
        self._bridge = csr.Bridge(builder.as_memory_map())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.bridge = self._bridge
        connect(m, flipped(self.bus), self._bridge.bus)
        cycle, snapshot = Signal(COARSE_BITS), Signal()
        m.d.sync += cycle.eq(cycle + 1)
        m.d.sync += snapshot.eq(self._snapshot.f.take.w_stb & self._snapshot.f.take.w_data)
        with m.If(snapshot):
            m.d.sync += self._time.f.cycle.r_data.eq(cycle)

        fifos = {
            channel: ChannelFifo(channel=channel, event_type=kind, depth=self._fifo_depth)
            for channel, kind in _TYPES.items()
        }
        for channel, fifo in fifos.items():
            m.submodules[f"fifo_{channel.name.lower()}"] = fifo
            m.d.comb += fifo.enable.eq(self._channels.f.enable.data[channel])
        self._tag_edges(m, fifos, cycle, snapshot)
        self._receive_line(m, fifos[Channel.SYNC], cycle, snapshot)
        self._merge(m, [fifos[channel] for channel in Channel], cycle)
        for channel, fifo in fifos.items():
            for name, increment in {
                "arrived": fifo.arrived,
                "merged": fifo.taken,
                "dropped": fifo.dropped,
            }.items():
                count = self._event_counts[name, channel]
                self._count(m, f"{name}_{channel.name.lower()}", count, increment, snapshot)
            m.d.comb += [
                self._status.f.gap.r_data[channel].eq(fifo.in_gap),
                self._events.f.gap.set[channel].eq(fifo.gap_began),
            ]
        return m

    def _count(
        self, m: Module, name: str, register: csr.Register, increment: Signal, snapshot: Signal
    ) -> None:
        """Count behind a register."""
        counter = SnapshotCounter(len(register.f.count.r_data))
        m.submodules[f"count_{name}"] = counter
        m.d.comb += [
            counter.increment.eq(increment),
            counter.snapshot.eq(snapshot),
            register.f.count.r_data.eq(counter.value),
        ]

    def _tag_edges(
        self, m: Module, fifos: dict[Channel, ChannelFifo], cycle: Signal, snapshot: Signal
    ) -> None:
        """Stamp the edges of all inputs, and gate them."""
        m.submodules.tagging = tagging = self._tagging
        m.submodules.gating = gating = self._gating
        inputs = {
            Channel.PPS: self.pps,
            Channel.LINE: self.line,
            **{channel: self.detectors[channel] for channel in DETECTOR_CHANNELS},
            **{c: self.auxiliary[place] for place, c in enumerate(AUXILIARY_CHANNELS)},
        }
        for channel, samples in inputs.items():
            name = channel.name.lower()
            m.d.comb += tagging.samples[name].eq(samples)
            connect(m, getattr(tagging.events, name), getattr(gating.events, name))
            connect(m, getattr(gating.passed, name), fifos[channel].events)
        connect(m, flipped(self.tagger_bus), tagging.bus)
        connect(m, flipped(self.gate_bus), gating.bus)
        sync = fifos[Channel.SYNC].events
        if "pictures" in self.signature.members:
            m.d.comb += tagging.pictures.eq(self.pictures)
        m.d.comb += [
            tagging.cycle.eq(cycle),
            tagging.enable.eq(self._channels.f.enable.data),
            tagging.snapshot.eq(snapshot),
            gating.sync.valid.eq(sync.valid),
            gating.sync.coarse.eq(sync.coarse),
            gating.sync.fine.eq(sync.fine),
            gating.cycle.eq(cycle),
            gating.snapshot.eq(snapshot),
            tagging.pulser.eq(self.pulser),
            self.pulser_run.eq(tagging.pulser_run),
            self.calibrate.eq(tagging.calibrate),
        ]

    def _receive_line(self, m: Module, fifo: ChannelFifo, cycle: Signal, snapshot: Signal) -> None:
        """Recover the downlink's bits, sync words and frames."""
        m.submodules.line = line = LineReceiver(frame_bits=self._frame_bits)
        m.d.comb += [
            line.line.eq(self.line),
            line.cycle.eq(cycle),
            line.hysteresis.eq(delayed(m, self._line.f.hysteresis.data, 1)),
            line.word.eq(self._sync_word.f.word.data),
            *(getattr(line, name).eq(field.data) for (name,), field in self._sync),
        ]
        connect(m, line.message, flipped(self.message))

        # The sum that gives an event's time is settled a cycle after the event.
        events = fifo.events
        m.d.sync += [
            events.valid.eq(line.event),
            events.coarse.eq(line.coarse),
            events.fine.eq(line.phase << (SAMPLED_FINE_STEP.bit_length() - 1)),
            events.horizon.eq(earlier_cycle(m, cycle, SYNC_AGE)),
            fifo.flag.eq(line.flywheel),
        ]
        m.d.comb += [
            events.weight.eq(1),
            fifo.attach.eq(line.header),
            fifo.attached_body.eq(Cat(line.counter, line.flags)),
            fifo.attached_flag.eq(line.header_valid),
        ]
        counted = line.counted()
        signal_before = Signal()
        m.d.sync += signal_before.eq(line.signal)
        sticky = self._events.f
        m.d.comb += [
            self._status.f.signal.r_data.eq(line.signal),
            self._status.f.sync_state.r_data.eq(line.state.as_value()),
            sticky.signal_lost.set.eq(signal_before & ~line.signal),
            sticky.lock_lost.set.eq(line.lost_lock),
            sticky.flywheel.set.eq(counted["syncs_flywheel"]),
            sticky.header_bad.set.eq(counted["headers_bad"]),
            sticky.frame_bad.set.eq(line.bad),
            sticky.message_dropped.set.eq(line.dropped),
        ]
        for name, increment in counted.items():
            self._count(m, name, self._line_counts[name], increment, snapshot)

    def _merge(self, m: Module, fifos: list[ChannelFifo], cycle: Signal) -> None:
        """Bring the records of all sources in order."""
        m.submodules.epoch = epoch = EpochSource()
        m.submodules.fence = fence = FenceSource()
        m.d.comb += [
            epoch.cycle.eq(cycle),
            epoch.period.eq(self._epoch.f.period.data),
            fence.cycle.eq(cycle),
            fence.request.eq(self._fence.f.value.w_stb),
            fence.value.eq(self._fence.f.value.w_data),
            self._status.f.fence.r_data.eq(fence.waiting),
        ]
        sources = [*fifos, epoch, fence]
        m.submodules.merge = merge = TimeOrderedMerge(sources=len(sources), latency=MERGE_LATENCY)
        m.d.comb += [merge.cycle.eq(cycle), merge.enable.eq(self._control.f.stream.data)]
        for place, source in enumerate(sources):
            connect(m, source.head, merge.heads[place])
        connect(m, merge.records, flipped(self.records))
