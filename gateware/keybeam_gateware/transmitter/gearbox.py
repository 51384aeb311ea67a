"""Changes the width of a stream of bits: none lost, repeated or moved."""

from math import gcd

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Gearbox"]


class Gearbox(wiring.Component):
    """Takes words of one width and gives the same bits in words of another, lowest bits first.

    With `input` always valid and `output` always ready the wider side moves in
    every cycle that the bits allow: no cycle is lost. Bits of an unfinished
    output word wait for the next input word.

    Parameters
    ----------
    input_width, output_width : int
        Bits of a word on either side, at least 1; neither need divide the other.

    Members
    -------
    input : In(stream.Signature(unsigned(input_width)))
        Words taken. `input.ready` does not depend on `output.ready`.
    output : Out(stream.Signature(unsigned(output_width)))
        Words given; comes from registers.
    """

    def __init__(self, input_width: int, output_width: int) -> None:
        # All movement is in whole units, so the multiplexers are as narrow as they can be.
        self._unit = gcd(input_width, output_width)
        self._taken = input_width // self._unit
        self._given = output_width // self._unit
        super().__init__(
            {
                "input": In(stream.Signature(unsigned(input_width))),
                "output": Out(stream.Signature(unsigned(output_width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # With up to this many units held a further word is needed for the output not to pause.
        threshold = self._given + min(self._given, self._taken) - 1
        capacity = threshold + self._taken
        held = Signal(capacity * self._unit)
        level = Signal(range(capacity + 1))
        accept, give = Signal(), Signal()
        m.d.comb += [
            self.input.ready.eq(level <= threshold),
            self.output.valid.eq(level >= self._given),
            self.output.payload.eq(held[: self._given * self._unit]),
            accept.eq(self.input.valid & self.input.ready),
            give.eq(self.output.valid & self.output.ready),
        ]

        kept = Signal.like(held)
        rest = Signal.like(level)
        m.d.comb += [
            kept.eq(Mux(give, held >> self._given * self._unit, held)),
            rest.eq(Mux(give, level - self._given, level)),
        ]
        m.d.sync += [
            held.eq(kept),
            level.eq(Mux(accept, rest + self._taken, rest)),
        ]
        with m.If(accept), m.Switch(rest):
            for place in range(threshold + 1):
                with m.Case(place):
                    m.d.sync += held[place * self._unit :].eq(self.input.payload)
        return m
