"""The adaptive proportion test of NIST SP 800-90B, section 4.4.2."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam_gateware.pipeline import delayed

__all__ = ["PROPORTION_LATENCY", "AdaptiveProportion"]

PROPORTION_LATENCY = 5
"""Cycles from `AdaptiveProportion.samples` to `AdaptiveProportion.failed`."""


class AdaptiveProportion(wiring.Component):
    """Counts how often the first sample of a window is seen in it, four samples a cycle.

    Parameters
    ----------
    sample_bits : int
        Bits of a sample.
    count_bits : int
        Bits of a count, which has to hold the number of samples of a window.

    Members
    -------
    samples : In(4 * sample_bits)
        Four samples, the earliest lowest.
    valid : In(1)
        There are four samples in this cycle.
    first : In(1)
        They are the first of a window.
    cutoff : In(count_bits)
        Count that fails.
    failed : Out(1)
        The count reached the cut-off with the samples of `PROPORTION_LATENCY` cycles ago.
    """

    def __init__(self, *, sample_bits: int, count_bits: int) -> None:
        self._sample_bits = sample_bits
        super().__init__(
            {
                "samples": In(SLOTS_PER_CYCLE * sample_bits),
                "valid": In(1),
                "first": In(1),
                "cutoff": In(count_bits),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = self._sample_bits
        samples = Signal.like(self.samples)
        wanted = Signal(width)
        equal = Signal(SLOTS_PER_CYCLE)
        matches = Signal(range(SLOTS_PER_CYCLE + 1))
        count = Signal.like(self.cutoff)
        m.d.sync += samples.eq(self.samples)
        with m.If(self.valid & self.first):
            m.d.sync += wanted.eq(self.samples[:width])
        m.d.sync += equal.eq(
            Cat(samples.word_select(slot, width) == wanted for slot in range(SLOTS_PER_CYCLE))
        )
        with m.Switch(equal):
            for value in range(1 << SLOTS_PER_CYCLE):
                with m.Case(value):
                    m.d.sync += matches.eq(value.bit_count())

        valid, first = delayed(m, self.valid, 3), delayed(m, self.first, 3)
        counted = Signal()
        m.d.sync += [counted.eq(valid), self.failed.eq(counted & (count >= self.cutoff))]
        with m.If(valid):
            m.d.sync += count.eq(Mux(first, 0, count) + matches)
        return m
