"""Sets a delay cell that only knows steps up and down."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.lanes import FINE_DELAY_BITS

__all__ = ["DelayStepper"]

_HALF_PULSE_CYCLES = 4
"""Clock cycles for which the cell's inputs stand, since they are not synchronous to anything."""


class DelayStepper(wiring.Component):
    """Move a delay cell from where it is to where it shall be, one step after the other.

    The cell follows Lattice's DELAYF: it is at 0 while `load_n` is low, and makes one step at each
    falling edge of `move`. A step takes 8 clock cycles, the whole range 6.5 µs.

    Members
    -------
    value : In(7)
        Steps of delay that are wanted.
    load_n : Out(1)
        0 holds the cell at no delay; so it is for some cycles after the start.
    move : Out(1)
        Falls once for each step.
    direction : Out(1)
        1 for less delay; stands while `move` changes.
    settled : Out(1)
        The cell is where it shall be.
    """

    value: In(FINE_DELAY_BITS)
    load_n: Out(1)
    move: Out(1)
    direction: Out(1)
    settled: Out(1)

    def elaborate(self, platform):
        m = Module()
        present = Signal(FINE_DELAY_BITS)
        more, less = Signal(), Signal()
        timer = Signal(range(_HALF_PULSE_CYCLES), init=_HALF_PULSE_CYCLES - 1)
        m.d.sync += [
            more.eq(present < self.value),
            less.eq(present > self.value),
            timer.eq(timer - 1),
        ]
        with m.FSM():
            with m.State("LOAD"), m.If(timer == 0):
                m.d.sync += self.load_n.eq(1)
                m.next = "WAIT"
            with m.State("WAIT"), m.If(timer == 0):
                m.d.sync += self.direction.eq(less)
                m.d.sync += self.settled.eq(~(more | less))
                with m.If(more | less):
                    m.next = "UP"
            with m.State("UP"), m.If(timer == 0):
                m.d.sync += self.move.eq(1)
                m.next = "DOWN"
            with m.State("DOWN"), m.If(timer == 0):
                m.d.sync += self.move.eq(0)
                with m.If(self.direction):
                    m.d.sync += present.eq(present - 1)
                with m.Else():
                    m.d.sync += present.eq(present + 1)
                m.next = "WAIT"
        return m
