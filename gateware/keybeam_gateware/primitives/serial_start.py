"""The order in which a SERDES transmitter starts."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LOCK_CYCLES", "SerialStart"]

LOCK_CYCLES = 1 << 19
"""Cycles of the reference clock for which the loop must have been locked before its lanes start;
Lattice's own sequence (FPGA-TN-02206) waits for 400 000."""

_RESET_CYCLES = 64
"""Cycles of the first reset, which must last 3 ns at least."""


class SerialStart(wiring.Component):
    """Reset everything, wait for the loop, let the lane go; again from the start if lock is lost.

    Parameters
    ----------
    lock_cycles : int
        Cycles for which the loop must have been locked without a break.

    Members
    -------
    unlocked : In(1)
        The transmitter's loop is not locked; synchronous.
    reset_all : Out(1)
        Resets the loop and the serialiser.
    reset_lane : Out(1)
        Resets the lane's digital part, its FIFO included.
    ready : Out(1)
        The lane sends; some cycles after its reset ended, so that the FIFO has settled.
    """

    unlocked: In(1)
    reset_all: Out(1, init=1)
    reset_lane: Out(1, init=1)
    ready: Out(1)

    def __init__(self, *, lock_cycles: int = LOCK_CYCLES) -> None:
        self._lock_cycles = lock_cycles
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(max(self._lock_cycles, _RESET_CYCLES)), init=_RESET_CYCLES - 1)
        over = Signal()
        m.d.sync += [left.eq(left - 1), over.eq(left == 1)]
        with m.FSM():
            with m.State("RESET"), m.If(over):
                m.d.sync += [self.reset_all.eq(0), left.eq(self._lock_cycles - 1), over.eq(0)]
                m.next = "LOCK"
            with m.State("LOCK"):
                with m.If(self.unlocked):
                    m.d.sync += [left.eq(self._lock_cycles - 1), over.eq(0)]
                with m.Elif(over):
                    m.d.sync += [self.reset_lane.eq(0), left.eq(_RESET_CYCLES - 1), over.eq(0)]
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                with m.If(self.unlocked):
                    self._reset(m, left, over)
                with m.Elif(over):
                    m.d.sync += self.ready.eq(1)
                    m.next = "RUN"
            with m.State("RUN"), m.If(self.unlocked):
                self._reset(m, left, over)
        return m

    def _reset(self, m, left, over):
        m.d.sync += [
            self.ready.eq(0),
            self.reset_all.eq(1),
            self.reset_lane.eq(1),
            left.eq(_RESET_CYCLES - 1),
            over.eq(0),
        ]
        m.next = "RESET"
