"""Makes the memory behind a LiteDRAM core ready for use."""

from collections.abc import Sequence
from enum import IntEnum

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam_gateware.memory.memory_test import LANE_BITS, MemoryTest
from keybeam_gateware.memory.native import ControlBus, NativePort
from keybeam_gateware.memory.program import Delays, Write

__all__ = ["Initialiser"]

_SETTLE_CYCLES = 64
"""Cycles between the last change of a delay and the first use of it."""


class _Times(IntEnum):
    """How often a write of the program is done."""

    ONCE = 0
    DELAY = 1
    SLIP = 2


_ENTRY_LAYOUT = data.StructLayout(
    {"address": 16, "value": 16, "wait": 20, "times": 2, "lane": 1, "last": 1}
)


class Initialiser(wiring.Component):
    """Writes a program to the core's registers, finds how to read each byte lane, and tests.

    For each byte lane every bit slip and delay is tried with a short memory test; the middle of
    the longest row of delays that pass at one bit slip is taken. After that a longer test has to
    pass. Until it did, nobody else has the native port.

    Parameters
    ----------
    program : sequence of Write
        Writes that bring the memory from its reset to work.
    delays : Delays or None
        How delays are set; None if there are none.
    address_bits : int
        Bits of the address of a line.
    words : int
        Transfers of a burst, which is a line.
    lanes : int
        Byte lanes.
    short_lines, long_lines : int
        Lines of the short and the long test; the latter a power of two.

    Members
    -------
    bus : Out(ControlBus())
        To the core's registers.
    native : Out(NativePort(address_bits, 8 * lanes * words))
        To the core.
    user : In(NativePort(address_bits, 8 * lanes * words))
        Connected to `native` once the memory passed its test.
    initialised : Out(1)
        All was written, and the test is over.
    passed : Out(1)
        The memory passed its test.
    """

    def __init__(
        self,
        program: Sequence[Write],
        delays: Delays | None,
        *,
        address_bits: int,
        words: int,
        lanes: int,
        short_lines: int = 16,
        long_lines: int = 1024,
    ) -> None:
        self._program, self._delays, self._lanes = tuple(program), delays, lanes
        self._short_lines, self._long_lines = short_lines, long_lines
        self._test = MemoryTest(address_bits, words, lanes, long_lines)
        native = NativePort(address_bits, LANE_BITS * lanes * words)
        super().__init__(
            {
                "bus": Out(ControlBus()),
                "native": Out(native),
                "user": In(native),
                "initialised": Out(1),
                "passed": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.test = test = self._test
        self._share(m, test)

        delays = self._delays
        lane = Signal(range(max(self._lanes, 2)))
        delay = Signal(exact_log2(delays.delays) if delays else 0)
        slip = Signal(exact_log2(delays.slips) if delays else 0)
        choosing = Signal(init=delays is not None)
        keep = Signal()
        entry, place = self._fetch(m)
        times = Signal(range(16))
        wait = Signal.like(entry.wait)
        m.d.comb += [
            self.bus.address.eq(entry.address),
            self.bus.value.eq(Mux(entry.lane, Const(1) << lane, entry.value)),
        ]

        with m.FSM():
            with m.State("FETCH"):
                m.next = "BEGIN"
            with m.State("BEGIN"):
                with m.Switch(entry.times):
                    with m.Case(_Times.DELAY):
                        m.d.sync += times.eq(delay)
                    with m.Case(_Times.SLIP):
                        m.d.sync += times.eq(slip)
                    with m.Default():
                        m.d.sync += times.eq(1)
                m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += self.bus.enable.eq(times != 0)
                m.d.sync += wait.eq(entry.wait)
                with m.If(times == 0):
                    m.next = "WAIT"
                with m.Elif(self.bus.done):
                    m.d.sync += times.eq(times - 1)
            with m.State("WAIT"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += place.eq(place + 1)
                    m.next = "FETCH"
                    with m.If(entry.last):
                        m.next = "SET"
            with m.State("SET"):
                m.next = "TEST"
                if delays is not None:
                    with m.If(keep):
                        m.next = "LANE"
            with m.State("TEST"):
                m.d.comb += test.start.eq(1)
                m.next = "TESTING"
            with m.State("TESTING"), m.If(test.done):
                m.next = "FINISH"
                if delays is not None:
                    with m.If(choosing):
                        m.next = "JUDGE"
            if delays is not None:
                self._choose(m, test, lane, delay, slip, choosing, keep, place)
            with m.State("FINISH"):
                m.d.sync += [self.initialised.eq(1), self.passed.eq(test.wrong == 0)]
                m.next = "IDLE"
            with m.State("IDLE"):
                pass
        m.d.comb += test.last.eq(Mux(choosing, self._short_lines - 1, self._long_lines - 1))
        return m

    def _share(self, m, test):
        """Give the native port to the test, and later to the user."""
        native, tested, user = self.native, test.native, self.user
        for source, condition in ((tested, ~self.passed), (user, self.passed)):
            with m.If(condition):
                m.d.comb += [
                    native.command.valid.eq(source.command.valid),
                    native.command.payload.eq(source.command.payload),
                    source.command.ready.eq(native.command.ready),
                    native.write.valid.eq(source.write.valid),
                    native.write.payload.eq(source.write.payload),
                    source.write.ready.eq(native.write.ready),
                    source.read.valid.eq(native.read.valid),
                ]
            m.d.comb += source.read.payload.eq(native.read.payload)
        m.d.comb += native.read.ready.eq(1)

    def _fetch(self, m):
        """Read the program; gives the entry at the place of the cycle before, and the place."""
        entries = [_entry(write) for write in self._program]
        self._first_setting = len(entries)
        if (delays := self._delays) is not None:
            entries += [
                _entry(Write(delays.select, 0), lane=True),
                _entry(Write(delays.clear_delay, 1)),
                _entry(Write(delays.clear_slip, 1)),
                _entry(Write(delays.step_delay, 1), times=_Times.DELAY),
                _entry(Write(delays.step_slip, 1), times=_Times.SLIP),
                # All of them are stopped and started together, so that they stay in step.
                _entry(Write(delays.select, (1 << self._lanes) - 1, _SETTLE_CYCLES)),
                _entry(Write(delays.select, 0, _SETTLE_CYCLES)),
            ]
        entries[-1]["last"] = 1
        m.submodules.program = memory = Memory(
            shape=_ENTRY_LAYOUT, depth=len(entries), init=entries
        )
        read = memory.read_port()
        place = Signal(range(len(entries) + 1))
        m.d.comb += [read.addr.eq(place), read.en.eq(1)]
        return read.data, place

    def _choose(self, m, test, lane, delay, slip, choosing, keep, place):
        """Go through all settings of a lane, then take the best, lane by lane."""
        delays = self._delays
        row, best = Signal(range(delays.delays + 1)), Signal(range(delays.delays + 1))
        best_delay, best_slip = Signal.like(delay), Signal.like(slip)
        with m.State("JUDGE"):
            m.d.sync += row.eq(Mux(delay == 0, 0, row) + 1)
            with m.If(test.wrong.bit_select(lane, 1)):
                m.d.sync += row.eq(0)
            m.next = "COMPARE"
        with m.State("COMPARE"):
            with m.If(row > best):
                m.d.sync += [
                    best.eq(row),
                    best_delay.eq(delay - ((row - 1) >> 1)),
                    best_slip.eq(slip),
                ]
            m.next = "NEXT"
        with m.State("NEXT"):
            m.d.sync += [delay.eq(delay + 1), place.eq(self._first_setting)]
            m.next = "FETCH"
            with m.If(delay == delays.delays - 1):
                m.d.sync += slip.eq(slip + 1)
                with m.If(slip == delays.slips - 1):
                    m.d.sync += [keep.eq(1), delay.eq(best_delay), slip.eq(best_slip)]
        with m.State("LANE"):
            m.d.sync += [
                keep.eq(0),
                best.eq(0),
                delay.eq(0),
                slip.eq(0),
                lane.eq(lane + 1),
                place.eq(self._first_setting),
            ]
            m.next = "FETCH"
            with m.If(lane == self._lanes - 1):
                m.d.sync += choosing.eq(0)
                m.next = "TEST"


def _entry(write, *, times=_Times.ONCE, lane=False):
    """Give the entry of the program for a write."""
    return {
        "address": write.address,
        "value": write.value,
        "wait": write.wait,
        "times": times,
        "lane": lane,
        "last": 0,
    }
