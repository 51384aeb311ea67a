"""Time stamps of rising edges from four samples a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.records import COARSE_BITS, SAMPLED_FINE_STEP
from keybeam_gateware.pipeline import delayed

from .events import EventSignature

__all__ = ["SampledTagger"]

_BIN_SHIFT = SAMPLED_FINE_STEP.bit_length() - 1


class SampledTagger(wiring.Component):
    """Stamps rising edges of a sampled input with the number of the first high sample.

    Sample k of cycle c has coarse time c and fine time k × `SAMPLED_FINE_STEP`. There may be two
    edges in a cycle; the second then leaves in the next cycle. Where edges come so fast that even
    this does not do, what cannot be kept apart leaves as one event of weight 2, to be lost with a
    mark.

    Members
    -------
    samples : In(4)
        Samples of the input, earliest lowest.
    cycle : In(40)
        Number of the cycle in which `samples` were sampled, which rises by one in every cycle.
    events : Out(EventSignature())
        The edges.
    """

    LATENCY = 3
    """Cycles from sampling to an event that did not have to wait."""

    samples: In(4)
    cycle: In(COARSE_BITS)
    events: Out(EventSignature())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        now, last, edges = Signal(4), Signal(), Signal(4)
        m.d.sync += [now.eq(self.samples), last.eq(now[3])]
        m.d.sync += edges.eq(now & ~Cat(last, now[:3]))

        stamp = delayed(m, self.cycle, self.LATENCY - 1)
        # Edges cannot be neighbours: the pairs are 0 and 2, 0 and 3, 1 and 3.
        single, double, early, late = Signal(), Signal(), Signal(2), Signal(2)
        m.d.comb += [
            double.eq((edges[0] & (edges[2] | edges[3])) | (edges[1] & edges[3])),
            single.eq(edges.any() & ~double),
            early.eq(Mux(edges[0], 0, Mux(edges[1], 1, Mux(edges[2], 2, 3)))),
            late.eq(Mux(edges[3], 3, 2)),
        ]
        waiting, waiting_bin, waiting_weight = Signal(), Signal(2), Signal(2)
        previous = Signal(COARSE_BITS)
        m.d.sync += [previous.eq(stamp), waiting.eq(double | (waiting & single))]
        # With one event waiting, a single edge takes its place, and two of them share it.
        m.d.sync += [
            waiting_bin.eq(Mux(double & ~waiting, late, early)),
            waiting_weight.eq(Mux(double & waiting, 2, 1)),
        ]
        out = self.events
        m.d.sync += [
            out.valid.eq(waiting | single | double),
            out.coarse.eq(Mux(waiting, previous, stamp)),
            out.fine.eq(Mux(waiting, waiting_bin, early) << _BIN_SHIFT),
            out.weight.eq(Mux(waiting, waiting_weight, 1)),
            out.horizon.eq(stamp),
        ]
        return m
