"""What the channels of the time-tagger share: code histogram, pulser, alarms."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import Channel
from keybeam.protocol.tagger import DELAY_LINE_TAPS, table_entries
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

from .code_histogram import CodeHistogram
from .rate_alarm import RateAlarm
from .registers import SHARED_ADDRESS_BITS, SharedRegisters

__all__ = ["TaggerShared"]

_SYNCHRONISER_STAGES = 3


class TaggerShared(wiring.Component):
    """Calibration of any one channel, and the frequency of the ring oscillator.

    Parameters
    ----------
    chains : dict of Channel to int
        Channels with a tagger, and the delay lines of each.
    taps : int
        Taps of a line.

    Members
    -------
    pulser : In(1)
        Pulses of the ring oscillator, not synchronous to anything.
    pulser_run : Out(1)
        Let the ring run.
    calibrate : Out(9)
        Channels that see the pulses in the place of their inputs.
    found, falls : In(9)
        There is an edge, a falling one, by the number of the channel.
    codes : In(code).array(9)
        Its code.
    rate_alarm : In(9)
        Channels that have had too many edges.
    bus : In(csr)
        Registers.
    """

    def __init__(self, *, chains: dict[Channel, int], taps: int = DELAY_LINE_TAPS) -> None:
        self._chains, self._taps = chains, taps
        self._entries = table_entries(max(1, *chains.values()), taps)
        self._registers = SharedRegisters()
        every = len(Channel)
        super().__init__(
            {
                "pulser": In(1),
                "pulser_run": Out(1),
                "calibrate": Out(every),
                "found": In(every),
                "falls": In(every),
                "codes": In(range(self._entries)).array(every),
                "rate_alarm": In(every),
                "bus": In(csr.Signature(addr_width=SHARED_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)),
            }
        )
        self.bus.memory_map = self._registers.bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        registers = self._registers
        m.submodules.bridge = registers.bridge
        connect(m, flipped(self.bus), registers.bridge.bus)
        lines = registers.lines.f
        m.d.comb += [
            lines.detectors.r_data.eq(self._chains[Channel.H]),
            lines.others.r_data.eq(self._chains[Channel.PPS]),
            lines.taps.r_data.eq(self._taps),
            self.pulser_run.eq(registers.pulser.f.run.data),
            self.calibrate.eq(registers.pulser.f.channels.data),
            registers.alarms.f.rate.set.eq(self.rate_alarm),
        ]
        self._count_pulses(m)
        if any(self._chains.values()):
            self._add_histogram(m)
        return m

    def _count_pulses(self, m):
        """Count the ring's pulses in windows one after the other."""
        level = Signal()
        m.submodules.synchroniser = FFSynchronizer(self.pulser, level, stages=_SYNCHRONISER_STAGES)
        m.submodules.rate = rate = RateAlarm()
        m.d.comb += [
            rate.edge.eq(level & ~delayed(m, level, 1)),
            self._registers.pulser_rate.f.pulses.r_data.eq(rate.count),
        ]

    def _add_histogram(self, m):
        """Count the codes of the chosen channel."""
        registers = self._registers
        m.submodules.histogram = histogram = CodeHistogram(2 * self._entries)
        # First what is not of the chosen channel becomes 0, then all is joined.
        chosen = []
        for channel in self._chains:
            taken = Signal(1 + len(histogram.code), name=f"taken_{channel.name.lower()}")
            is_chosen = Signal(name=f"chosen_{channel.name.lower()}")
            edge = Cat(self.found[channel], self.codes[channel], self.falls[channel])
            m.d.sync += [
                is_chosen.eq(registers.histogram.f.channel.data == channel),
                taken.eq(Mux(is_chosen, edge, 0)),
            ]
            chosen.append(taken)
        joined = Signal.like(chosen[0])
        m.d.sync += joined.eq(reduce(or_, chosen))
        asked = registers.histogram_code.f
        with m.If(asked.code.w_stb):
            width = len(self.codes[0])
            m.d.sync += histogram.address.eq(Cat(asked.code.w_data[:width], asked.falling.w_data))
        with m.Elif(registers.histogram_count.f.count.r_stb):
            m.d.sync += histogram.address.eq(histogram.address + 1)
        clear = registers.histogram_clear.f.start
        m.d.comb += [
            Cat(histogram.found, histogram.code).eq(joined),
            histogram.run.eq(registers.histogram.f.run.data),
            histogram.clear.eq(clear.w_stb & clear.w_data),
            registers.histogram_status.f.busy.r_data.eq(histogram.busy),
            registers.histogram_count.f.count.r_data.eq(histogram.count),
        ]
