"""Changes the width of a stream of bits: none lost, repeated or moved."""

from math import gcd

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.randomness.layouts import random_layout

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
    input : In(stream.Signature(random_layout(input_width)))
        Words taken. `input.ready` does not depend on `output.ready`.
    output : Out(stream.Signature(random_layout(output_width)))
        Words given; comes from registers. Live if all words are that any of its bits is from.
    clear : In(1)
        Drop all bits, and take none: a word that is offered is withdrawn.
    """

    def __init__(self, input_width: int, output_width: int) -> None:
        # All movement is in whole units, so the multiplexers are as narrow as they can be.
        self._unit = gcd(input_width, output_width)
        self._taken = input_width // self._unit
        self._given = output_width // self._unit
        # With up to this many units held a further word is needed for the output not to pause.
        self._threshold = self._given + min(self._given, self._taken) - 1
        capacity = self._threshold + self._taken
        # Registers that a proof has to see. A unit's mark stands at its place.
        self._held = Signal(capacity * self._unit)
        self._live = Signal(capacity)
        self._level = Signal(range(capacity + 1))
        super().__init__(
            {
                "input": In(stream.Signature(random_layout(input_width))),
                "output": Out(stream.Signature(random_layout(output_width))),
                "clear": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        held, live, level = self._held, self._live, self._level
        accept, give = Signal(), Signal()
        m.d.comb += [
            self.input.ready.eq((level <= self._threshold) & ~self.clear),
            self.output.valid.eq(level >= self._given),
            self.output.payload.bits.eq(held[: self._given * self._unit]),
            self.output.payload.live.eq(live[: self._given].all()),
            accept.eq(self.input.valid & self.input.ready),
            give.eq(self.output.valid & self.output.ready),
        ]

        rest = Signal.like(level)
        m.d.comb += rest.eq(Mux(give, level - self._given, level))
        m.d.sync += level.eq(Mux(accept, rest + self._taken, rest))
        with m.If(self.clear):
            m.d.sync += level.eq(0)
        with m.If(give):
            m.d.sync += [held.eq(held >> self._given * self._unit), live.eq(live >> self._given)]
        with m.If(accept), m.Switch(rest):
            for place in range(self._threshold + 1):
                with m.Case(place):
                    m.d.sync += [
                        held[place * self._unit :].eq(self.input.payload.bits),
                        live[place:].eq(self.input.payload.live.replicate(self._taken)),
                    ]
        return m
