"""One channel of the time-tagger with its registers and counters."""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import COARSE_BITS
from keybeam.protocol.tagger import DELAY_LINE_TAPS, NOMINAL_TAP_PS, table_entries
from keybeam_gateware.counters import SnapshotCounter
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

from .channel import TaggerChannel
from .events import EventSignature
from .registers import CHANNEL_ADDRESS_BITS, ChannelRegisters

__all__ = ["TaggerUnit"]


class TaggerUnit(wiring.Component):
    """`TaggerChannel` behind registers.

    Parameters
    ----------
    chains, taps, tap_ps
        As those of `TaggerChannel`.

    Members
    -------
    pictures : In(taps).array(chains)
        Picture of each line in every cycle; only with delay lines.
    cycle, enable, sampled : In
        As those of `TaggerChannel`.
    snapshot : In(1)
        Copy the counters to where they are read.
    events : Out(EventSignature())
        What the channel's queue takes.
    found : Out(1)
        There is an edge, whether the channel is enabled or not.
    code : Out
        Its code.
    falls : Out(1)
        It is a falling one.
    rate_alarm : Out(1)
        There were more edges than the limit.
    bus : In(csr)
        Registers.
    """

    def __init__(
        self,
        *,
        chains: int = 1,
        taps: int = DELAY_LINE_TAPS,
        tap_ps: float = NOMINAL_TAP_PS,
    ) -> None:
        self._channel = TaggerChannel(chains=chains, taps=taps, tap_ps=tap_ps)
        self._registers = ChannelRegisters()
        pictures = {"pictures": In(taps).array(chains)} if chains else {}
        super().__init__(
            pictures
            | {
                "cycle": In(COARSE_BITS),
                "enable": In(1),
                "sampled": In(EventSignature()),
                "snapshot": In(1),
                "events": Out(EventSignature()),
                "found": Out(1),
                "code": Out(range(table_entries(max(chains, 1), taps))),
                "falls": Out(1),
                "rate_alarm": Out(1),
                "bus": In(
                    csr.Signature(addr_width=CHANNEL_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
                ),
            }
        )
        self.bus.memory_map = self._registers.bridge.bus.memory_map
        self._chains = chains

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = self._registers.bridge
        m.submodules.channel = channel = self._channel
        connect(m, flipped(self.bus), self._registers.bridge.bus)
        connect(m, flipped(self.sampled), channel.sampled)
        connect(m, channel.events, flipped(self.events))
        if self._chains:
            m.d.comb += [
                inner.eq(outer)
                for inner, outer in zip(channel.pictures, self.pictures, strict=True)
            ]
        m.d.comb += [
            channel.cycle.eq(self.cycle),
            channel.enable.eq(self.enable),
            self.found.eq(channel.found),
            Cat(self.code, self.falls).eq(channel.code),
            self.rate_alarm.eq(channel.rate_alarm),
        ]
        self._set(m, channel)
        self._count(m, channel)
        return m

    def _set(self, m, channel):
        """Bring the settings to the channel, and its rate to where it is read."""
        registers = self._registers
        table = registers.table.f
        m.d.comb += [
            channel.rising.eq(registers.edges.f.rising.data),
            channel.falling.eq(registers.edges.f.falling.data),
            channel.delay.eq(registers.delay.f.steps.data.as_signed()),
            channel.dead_time.eq(registers.dead_time.f.steps.data),
            channel.divider.eq(registers.divider.f.ratio.data),
            channel.rate_limit.eq(registers.rate_limit.f.edges.data),
            channel.sampled_offset.eq(registers.comparison.f.offset.data.as_signed()),
            registers.rate.f.edges.r_data.eq(channel.rate),
        ]
        m.d.sync += [
            channel.write.eq(table.lead.w_stb),
            channel.write_address.eq(
                Cat(table.code.w_data[: len(self.code)], table.falling.w_data)
            ),
            channel.write_data.eq(table.lead.w_data),
        ]

    def _count(self, m, channel):
        """Count behind the registers."""
        snapshot = delayed(m, self.snapshot, 1)
        for name, register in self._registers.counters.items():
            event = {"edges": "edge"}.get(name, name)
            counter = SnapshotCounter(len(register.f.count.r_data))
            m.submodules[f"count_{name}"] = counter
            m.d.comb += [
                # As late as the snapshot.
                counter.increment.eq(delayed(m, getattr(channel, event), 1)),
                counter.snapshot.eq(snapshot),
                register.f.count.r_data.eq(counter.value),
            ]
