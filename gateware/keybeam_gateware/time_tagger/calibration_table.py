"""Gives every edge its time by a table of all codes."""

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FINE_BITS, FINE_STEPS
from keybeam.protocol.records import COARSE_BITS, FINE_PS
from keybeam.protocol.tagger import LEAD_BITS, LEAD_CYCLES, NOMINAL_TAP_PS, table_entries
from keybeam_gateware.pipeline import delayed, earlier_cycle

from .events import TimedEdgeSignature

__all__ = ["CalibrationTable"]

_FIRST_CODE = 4
"""Earliest code that a line gives: what a calibration counts times from."""


_MOST_CYCLES = (1 << (LEAD_BITS - FINE_BITS)) - 1
"""Most whole cycles of an entry."""


def _straight(entries: int, tap_ps: float, chains: int) -> list[int]:
    """Make the table of lines all of whose taps are alike, for one direction of edges."""
    step = tap_ps / chains / FINE_PS
    ages = [round(max(0, code - _FIRST_CODE * chains) * step) for code in range(entries)]
    return [max(0, LEAD_CYCLES * FINE_STEPS - age) for age in ages]


class CalibrationTable(wiring.Component):
    """Table from codes to times, in block RAM that the host fills.

    An entry is the time of the edge in fine steps since the clock edge two cycles before the one
    that took its picture. So there is no border between cycles in it: the sum of both decides what
    the coarse time is. Falling edges have a half of the table of their own, since they travel
    through the line at another speed.

    Until the host fills it, the table is that of lines all of whose taps are alike.

    Parameters
    ----------
    chains, taps : int
        Delay lines of the channel, and taps of each.
    tap_ps : float
        Delay of a tap in picoseconds until then.

    Members
    -------
    found : In(1)
        There is an edge.
    code : In
        Its code.
    falls : In(1)
        It is a falling one.
    cycle : In(40)
        Number of the clock edge that took its picture, which rises by one in every cycle.
    edge : Out(TimedEdgeSignature())
        The edge and its time, `LATENCY` cycles later.
    write : In(1)
        Sets an entry.
    write_address : In
        Code, and above it 1 for falling edges.
    write_data : In(16)
        The entry.
    """

    LATENCY = 5
    """Cycles from an edge to its time."""

    def __init__(self, *, chains: int, taps: int, tap_ps: float = NOMINAL_TAP_PS) -> None:
        self._straight = _straight(table_entries(chains, taps), tap_ps, chains)
        self._entries = 2 * table_entries(chains, taps)
        super().__init__(
            {
                "found": In(1),
                "code": In(range(chains * taps + 1)),
                "falls": In(1),
                "cycle": In(COARSE_BITS),
                "edge": Out(TimedEdgeSignature()),
                "write": In(1),
                "write_address": In(range(self._entries)),
                "write_data": In(LEAD_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # No logic behind the block RAM that would give what stood there before a write.
        m.submodules.table = table = memory.Memory(
            shape=LEAD_BITS,
            depth=self._entries,
            init=2 * self._straight,
            attrs={"no_rw_check": 1},
        )
        writer, reader = table.write_port(), table.read_port(domain="comb")
        m.d.comb += [
            writer.en.eq(self.write),
            writer.addr.eq(self.write_address),
            writer.data.eq(self.write_data),
        ]
        address = Signal(range(self._entries))
        read, lead = Signal(LEAD_BITS, reset_less=True), Signal(LEAD_BITS, reset_less=True)
        m.d.sync += [address.eq(Cat(self.code, self.falls)), read.eq(reader.data), lead.eq(read)]
        m.d.comb += reader.addr.eq(address)
        # From the block RAM to the sum it may be far.
        near = delayed(m, lead, 1)
        # Whole cycles are added by taking the number of a later cycle.
        later = [earlier_cycle(m, self.cycle, self.LATENCY - 1 + LEAD_CYCLES - _MOST_CYCLES)]
        for _ in range(_MOST_CYCLES):
            later.insert(0, delayed(m, later[0], 1))
        m.d.sync += [
            self.edge.valid.eq(delayed(m, self.found, self.LATENCY - 1)),
            self.edge.coarse.eq(Array(later)[near[FINE_BITS:]]),
            self.edge.fine.eq(near[:FINE_BITS]),
        ]
        return m
