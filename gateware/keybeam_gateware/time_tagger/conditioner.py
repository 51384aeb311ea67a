"""What a channel makes of its edges: delay, dead time, divider."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FINE_BITS
from keybeam.protocol.records import COARSE_BITS, TIME_BITS
from keybeam.protocol.tagger import DEAD_TIME_BITS, DELAY_BITS, DIVIDER_BITS
from keybeam_gateware.pipeline import delayed

from .events import EventSignature, TimedEdgeSignature

__all__ = ["EdgeConditioner"]

_COMPARED_BITS = DEAD_TIME_BITS + 2
"""Bits of times that are compared: differences are at most the longest dead time and a bit."""
_AGE_BITS = DEAD_TIME_BITS - FINE_BITS
_SHIFT_CYCLES = 3
"""Cycles from a time to the same, shifted."""


class EdgeConditioner(wiring.Component):
    """Shift a channel's edges in time, and leave out those that are not wanted.

    In this order: every edge is shifted by `delay`; it is left out if it comes less than
    `dead_time` after the last one that was not; of those that are left, every `divider`-th becomes
    an event, the first one at once.

    The delay may only be changed while the channel is disabled and no edge is on its way, so that
    times never run backwards.

    Members
    -------
    edge : In(TimedEdgeSignature())
        Edges with their times.
    weight : In(2)
        Edges that this one stands for, 1 to 3; here they count as one.
    earliest : In(40)
        No edge after this cycle is earlier than the beginning of this coarse time.
    delay : In(signed(24))
        Fine steps (6.4 ns / 2^14) that are added to every time: ±3.2 µs.
    dead_time : In(25)
        Fine steps: up to 13.1 µs.
    divider : In(16)
        Edges for one event; 0 works as 1.
    events : Out(EventSignature())
        What is left, `LATENCY` cycles later.
    dead : Out(1)
        An edge was left out in the dead time.
    divided : Out(1)
        An edge was left out by the divider.
    """

    LATENCY = _SHIFT_CYCLES + 3
    """Cycles from an edge to its event."""

    edge: In(TimedEdgeSignature())
    weight: In(2, init=1)
    earliest: In(COARSE_BITS)
    delay: In(signed(DELAY_BITS))
    dead_time: In(DEAD_TIME_BITS)
    divider: In(DIVIDER_BITS)
    events: Out(EventSignature())
    dead: Out(1)
    divided: Out(1)

    def elaborate(self, platform):
        m = Module()
        time = self._shift(m)
        valid = delayed(m, self.edge.valid, _SHIFT_CYCLES)
        until = Signal(_COMPARED_BITS)
        m.d.sync += until.eq(time[:_COMPARED_BITS] + self.dead_time)
        live = self._apply_dead_time(m, delayed(m, valid, 1), time[:_COMPARED_BITS], until)
        self._divide(m, live)
        whole, negative = Signal(COARSE_BITS // 2), Signal()
        m.d.sync += [whole.eq(self.delay >> FINE_BITS), negative.eq(self.delay < 0)]
        horizon = self._shifted(m, self.earliest, whole, negative)
        m.d.sync += [
            self.events.horizon.eq(delayed(m, horizon, self.LATENCY - _SHIFT_CYCLES - 1)),
            Cat(self.events.fine, self.events.coarse).eq(delayed(m, time, 2)),
            self.events.weight.eq(delayed(m, self.weight, self.LATENCY - 1)),
        ]
        return m

    def _shift(self, m):
        """Add the delay to the time; takes `_SHIFT_CYCLES`."""
        steps, negative = Signal(TIME_BITS // 2), Signal()
        m.d.comb += [steps.eq(self.delay), negative.eq(self.delay < 0)]
        return self._shifted(m, Cat(self.edge.fine, self.edge.coarse), steps, negative)

    @staticmethod
    def _shifted(m, time, steps, negative):
        """Add a signed number to a time, one half after the other; takes `_SHIFT_CYCLES`.

        `steps` is the lower half of the number, and `negative` its sign. A register stands between
        the halves, which placement may put far from each other.
        """
        half = len(time) // 2
        low, high = Signal(half + 1), Signal(len(time) - half)
        more, fewer = Signal(), Signal()
        shifted, less = Signal(len(time)), Signal()
        m.d.sync += [
            low.eq(time[:half] + steps),
            high.eq(time[half:]),
            less.eq(negative),
            # The upper half of a negative number is all ones, which is less one: together with the
            # carry more by one, the same, or less by one.
            more.eq(low[half] & ~less),
            fewer.eq(less & ~low[half]),
        ]
        # A bit below takes the one that is added in, so that it is a single sum.
        upper = Cat(C(1, 1), delayed(m, high, 1)) + Cat(more, fewer.replicate(len(high)))
        m.d.sync += shifted.eq(Cat(delayed(m, low[:half], 1), upper[1 : len(high) + 1]))
        return shifted

    def _apply_dead_time(self, m, valid, following, until):
        """Tell, a cycle later, whether an edge is not in the dead time.

        `following` is the time of the edge after the one that `valid` and `until` are of. It is
        compared with what is the end of the dead time now, and with what it will be if the edge
        before counts: so no comparison is in the way of a decision.
        """
        age, blocking = Signal(_AGE_BITS + 1), Signal()
        last_until = Signal(_COMPARED_BITS)
        live = Signal()
        dead = [Signal(name=f"dead_{which}") for which in ("as_before", "after_the_last")]
        for flag, end in zip(dead, (last_until, until), strict=True):
            m.d.sync += flag.eq((following - end)[_COMPARED_BITS - 1])
        free = ~blocking | ~Mux(live, dead[1], dead[0])
        m.d.sync += [live.eq(valid & free), self.dead.eq(valid & ~free)]
        with m.If(valid & free):
            m.d.sync += [last_until.eq(until), age.eq(0), blocking.eq(1)]
        with m.Elif(age[-1]):
            # Older than any dead time: what is compared could mean another round of its bits.
            m.d.sync += blocking.eq(0)
        with m.Else():
            m.d.sync += age.eq(age + 1)
        return live

    def _divide(self, m, live):
        """Let every n-th edge pass."""
        left, reload = Signal(DIVIDER_BITS), Signal(DIVIDER_BITS)
        m.d.sync += [
            reload.eq(Mux(self.divider == 0, 0, self.divider - 1)),
            self.events.valid.eq(live & (left == 0)),
            self.divided.eq(live & (left != 0)),
        ]
        with m.If(live):
            m.d.sync += left.eq(Mux(left == 0, reload, left - 1))
