"""Raw random bits from a chip's lanes, packed into words."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import SLOTS_PER_CYCLE

__all__ = ["RANDOM_LANES", "RandomInput"]

RANDOM_LANES = 4
"""Lanes of the chip: 4 × 625 Mb/s are the 4 bits of every pulse."""

_CYCLES = 4
_WORD_BITS = RANDOM_LANES * SLOTS_PER_CYCLE * _CYCLES


class RandomInput(wiring.Component):
    """Pack the samples of a random-number chip's lanes into words.

    Every sample goes into one word at most: a word that is not taken in time is dropped whole,
    with the bits that would have made it, and never repeated. The bits are used as they come;
    nothing tests their quality here.

    Members
    -------
    lanes : In(16)
        Samples of this cycle, those of lane 0 lowest, and of a lane the earliest lowest.
    random : Out(stream.Signature(unsigned(64)))
        Samples of four cycles, the earliest lowest.
    """

    lanes: In(RANDOM_LANES * SLOTS_PER_CYCLE)
    random: Out(stream.Signature(unsigned(_WORD_BITS)))

    def elaborate(self, platform):
        m = Module()
        earlier = Signal(_WORD_BITS)
        cycle = Signal(range(_CYCLES))
        complete = Signal()
        width = len(self.lanes)
        m.d.sync += [
            earlier.eq(Cat(earlier[width:], self.lanes)),
            cycle.eq(cycle + 1),
            complete.eq(cycle == _CYCLES - 1),
        ]
        with m.If(self.random.ready):
            m.d.sync += self.random.valid.eq(0)
        with m.If(complete & (self.random.ready | ~self.random.valid)):
            m.d.sync += [self.random.payload.eq(earlier), self.random.valid.eq(1)]
        return m
