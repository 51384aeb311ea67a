"""Holds the delay line's edges against those of the sampled input."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FINE_BITS, SLOTS_PER_CYCLE
from keybeam_gateware.pipeline import delayed

from .events import TimedEdgeSignature

__all__ = ["EdgeComparison"]

_SLOT_SHIFT = FINE_BITS - (SLOTS_PER_CYCLE.bit_length() - 1)
_NUMBER_BITS = 7
"""Bits of the number of a slot that are compared: 32 cycles."""


class EdgeComparison(wiring.Component):
    """Find for every edge of the delay line one of the sampled input, and the other way round.

    The sampled input has bins of a slot (1.6 ns) only, but needs no calibration: a wrong
    table, a line that is too short or an edge lost between pictures shows here. An
    edge is the same one if its slots differ by 1 at most after `offset` was added, and if the
    two come within 3 cycles of the middle of the history.

    Parameters
    ----------
    history : int
        Cycles for which an edge of the sampled input waits for its like. Its
        like is best due in the middle.

    Members
    -------
    edge : In(TimedEdgeSignature())
        Rising edges of the delay line.
    sampled : In(TimedEdgeSignature())
        Rising edges of the sampled input, at multiples of a slot.
    offset : In(signed(7))
        Slots by which the sampled input is behind the delay line.
    unconfirmed : Out(1)
        An edge of the delay line was not sampled.
    missed : Out(1)
        An edge was sampled that the delay line did not show.
    """

    def __init__(self, history: int = 8) -> None:
        self._history = history
        super().__init__(
            {
                "edge": In(TimedEdgeSignature()),
                "sampled": In(TimedEdgeSignature()),
                "offset": In(signed(_NUMBER_BITS)),
                "unconfirmed": Out(1),
                "missed": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        expected, wanted, lowest = Signal(_NUMBER_BITS), Signal(), Signal(_NUMBER_BITS)
        m.d.sync += [
            # Less 1, so that slots that fit are 0, 1 or 2 ahead.
            lowest.eq(self.offset - 1),
            expected.eq(self._slot(self.edge) + lowest),
            wanted.eq(self.edge.valid),
        ]
        number, open_ = self._slot(self.sampled), self.sampled.valid
        matches = []
        for place in range(self._history):
            next_number = Signal(_NUMBER_BITS, name=f"number_{place}")
            next_open = Signal(name=f"open_{place}")
            ahead = Signal(_NUMBER_BITS, name=f"ahead_{place}")
            match = Signal(name=f"match_{place}")
            m.d.comb += ahead.eq(number - expected)
            m.d.sync += [
                # 0, 1 or 2, without a carry of its own.
                match.eq(wanted & open_ & ~ahead[2:].any() & ~ahead[:2].all()),
                next_number.eq(number),
                next_open.eq(open_),
            ]
            matches.append(match)
            # What has just matched is open no more: told here, not on the way to the register.
            number, open_ = next_number, next_open & ~match
        m.d.sync += self.unconfirmed.eq(delayed(m, wanted, 1) & ~Cat(matches).any())
        m.d.comb += self.missed.eq(open_)
        return m

    @staticmethod
    def _slot(edge):
        """Give the low bits of the number of the slot in which an edge is."""
        return Cat(edge.fine[_SLOT_SHIFT:], edge.coarse)[:_NUMBER_BITS]
