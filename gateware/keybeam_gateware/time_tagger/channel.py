"""One channel of the time-tagger, from the pictures of its lines to events for its queue."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import COARSE_BITS
from keybeam.protocol.tagger import (
    DEAD_TIME_BITS,
    DELAY_BITS,
    DELAY_LINE_TAPS,
    DIVIDER_BITS,
    LEAD_BITS,
    LEAD_CYCLES,
    NOMINAL_TAP_PS,
    OFFSET_BITS,
    RATE_WINDOW_BITS,
    table_entries,
)
from keybeam_gateware.pipeline import delayed, earlier_cycle

from .calibration_table import CalibrationTable
from .comparison import EdgeComparison
from .conditioner import EdgeConditioner
from .edge_finder import EdgeFinder
from .events import EventSignature
from .rate_alarm import RateAlarm

__all__ = ["TaggerChannel"]

_SAMPLED_DELAY = 16
"""Cycles by which sampled edges, which take 3 cycles from their samples on, are held back, so that
those of the delay line come when they are in the middle of the comparison's history."""


class TaggerChannel(wiring.Component):
    """Time edges, compare them with the sampled input, and condition them.

    Clock edges are numbered; edge n of the clock is at n × 6.4 ns. A signal that passes the pad and
    the line without delay and changes at a time t gives an event at t + `delay`, but for a constant
    of the calibration.

    Without a delay line, the edges of the sampled input are conditioned in their place.

    Parameters
    ----------
    chains : int
        Delay lines, 0 to 2.
    taps : int
        Taps of each.
    tap_ps : float
        Delay of a tap in picoseconds, for times before the first calibration.

    Members
    -------
    pictures : In(taps).array(chains)
        Picture of each line in every cycle; only with delay lines.
    cycle : In(40)
        Number of the clock edge at which this cycle began, which took the present pictures. It
        rises by one in every cycle.
    enable : In(1)
        Edges become events, are counted and compared.
    rising, falling : In(1)
        Which edges.
    delay, dead_time, divider : In
        As those of `EdgeConditioner`.
    sampled : In(EventSignature())
        Rising edges of the same signal from `keybeam_gateware.receiver.tagger.SampledTagger`. Those
        of delay lines are compared with them when only rising edges are chosen.
    sampled_offset : In(signed(7))
        Slots by which the sampled input is behind.
    rate_limit : In
        Most edges in 2^20 cycles without alarm; 0 for no alarm.
    write, write_address, write_data : In
        As those of `CalibrationTable`.
    events : Out(EventSignature())
        What the channel's queue takes.
    found : Out(1)
        There is an edge, whether the channel is enabled or not; for the histogram.
    code : Out
        Its code, and above it 1 for a falling edge.
    edge : Out(1)
        There is an edge, with a time; enabled only.
    dead, divided : Out(1)
        An edge was left out in the dead time, or by the divider.
    unconfirmed, missed : Out(1)
        As those of `EdgeComparison`.
    rate : Out
        Edges in the last whole 2^20 cycles.
    rate_alarm : Out(1)
        They were too many.
    """

    SAMPLED_LATENCY = EdgeConditioner.LATENCY
    """Cycles from an edge of the sampled input to its event, without a delay line."""
    LATENCY = EdgeFinder.LATENCY + CalibrationTable.LATENCY + EdgeConditioner.LATENCY
    """Cycles from a picture to its event."""

    def __init__(
        self,
        *,
        chains: int = 1,
        taps: int = DELAY_LINE_TAPS,
        tap_ps: float = NOMINAL_TAP_PS,
    ) -> None:
        self._chains, self._taps, self._tap_ps = chains, taps, tap_ps
        code_bits = (2 * table_entries(max(chains, 1), taps) - 1).bit_length()
        pictures = {"pictures": In(taps).array(chains)} if chains else {}
        super().__init__(
            pictures
            | {
                "cycle": In(COARSE_BITS),
                "enable": In(1),
                "rising": In(1),
                "falling": In(1),
                "delay": In(signed(DELAY_BITS)),
                "dead_time": In(DEAD_TIME_BITS),
                "divider": In(DIVIDER_BITS),
                "sampled": In(EventSignature()),
                "sampled_offset": In(signed(OFFSET_BITS)),
                "rate_limit": In(RATE_WINDOW_BITS + 1),
                "write": In(1),
                "write_address": In(code_bits),
                "write_data": In(LEAD_BITS),
                "events": Out(EventSignature()),
                "found": Out(1),
                "code": Out(code_bits),
                "edge": Out(1),
                "dead": Out(1),
                "divided": Out(1),
                "unconfirmed": Out(1),
                "missed": Out(1),
                "rate": Out(RATE_WINDOW_BITS + 1),
                "rate_alarm": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.conditioner = conditioner = EdgeConditioner()
        m.submodules.rate = rate = RateAlarm()
        edge = conditioner.edge
        if self._chains:
            self._time(m, conditioner)
            self._compare(m, edge)
        else:
            self._take_sampled(m, conditioner)
        m.d.comb += [
            conditioner.delay.eq(self.delay),
            conditioner.dead_time.eq(self.dead_time),
            conditioner.divider.eq(self.divider),
            self.dead.eq(conditioner.dead),
            self.divided.eq(conditioner.divided),
            self.edge.eq(edge.valid),
            rate.edge.eq(edge.valid),
            rate.limit.eq(self.rate_limit),
            self.rate.eq(rate.count),
            self.rate_alarm.eq(rate.alarm),
        ]
        connect(m, conditioner.events, flipped(self.events))
        return m

    def _take_sampled(self, m, conditioner):
        """Condition the edges of the sampled input."""
        sampled, edge = self.sampled, conditioner.edge
        m.d.comb += [
            edge.valid.eq(sampled.valid & self.enable & self.rising),
            edge.coarse.eq(sampled.coarse),
            edge.fine.eq(sampled.fine),
            conditioner.weight.eq(sampled.weight),
            conditioner.earliest.eq(sampled.horizon),
        ]

    def _time(self, m, conditioner):
        """Time the edges in the pictures."""
        m.submodules.finder = finder = EdgeFinder(chains=self._chains, taps=self._taps)
        m.submodules.table = table = CalibrationTable(
            chains=self._chains, taps=self._taps, tap_ps=self._tap_ps
        )
        taken = earlier_cycle(m, self.cycle, EdgeFinder.LATENCY)
        age = EdgeFinder.LATENCY + CalibrationTable.LATENCY + LEAD_CYCLES
        earliest = earlier_cycle(m, self.cycle, age)
        m.d.comb += [
            *(finder.pictures[place].eq(each) for place, each in enumerate(self.pictures)),
            finder.rising.eq(self.rising),
            finder.falling.eq(self.falling),
            table.found.eq(finder.found & self.enable),
            table.code.eq(finder.code),
            table.falls.eq(finder.falls),
            table.cycle.eq(taken),
            table.write.eq(self.write),
            table.write_address.eq(self.write_address),
            table.write_data.eq(self.write_data),
            self.found.eq(finder.found),
            self.code.eq(finder.code | (finder.falls << (len(self.code) - 1))),
            conditioner.weight.eq(1),
            conditioner.earliest.eq(earliest),
        ]
        connect(m, table.edge, conditioner.edge)

    def _compare(self, m, edge):
        """Hold the edges against those of the sampled input."""
        m.submodules.comparison = comparison = EdgeComparison()
        compared = Signal()
        m.d.sync += [
            compared.eq(self.enable & self.rising & ~self.falling),
            # The conditioner, whose edges these are, may be far.
            comparison.edge.valid.eq(edge.valid & compared),
            comparison.edge.coarse.eq(edge.coarse),
            comparison.edge.fine.eq(edge.fine),
        ]
        m.d.comb += [
            comparison.offset.eq(self.sampled_offset),
            comparison.sampled.valid.eq(delayed(m, self.sampled.valid & compared, _SAMPLED_DELAY)),
            comparison.sampled.coarse.eq(delayed(m, self.sampled.coarse[:5], _SAMPLED_DELAY)),
            comparison.sampled.fine.eq(delayed(m, self.sampled.fine, _SAMPLED_DELAY)),
            self.unconfirmed.eq(comparison.unconfirmed),
            self.missed.eq(comparison.missed),
        ]
