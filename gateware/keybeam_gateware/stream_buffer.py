"""Room for two items between blocks, so that neither waits for the other within a cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamBuffer"]


class StreamBuffer(wiring.Component):
    """Passes an item in every cycle, yet takes and gives by registers alone.

    Parameters
    ----------
    shape : shape-like
        An item.

    Attributes
    ----------
    spare : Signal
        The item behind the one that is offered.
    spare_valid : Signal
        There is one.
    moves : Signal
        What is offered next is `following`, if `following_valid`; else the same as now.
    following, following_valid : Signal
        The item that comes next, before `clear`.

    Members
    -------
    input : In(stream.Signature(shape))
        Items; `ready` is from a register.
    output : Out(stream.Signature(shape))
        The same items; `valid` and `payload` are from registers.
    flush : In(1)
        Drop what is not offered yet, and what is taken in this cycle.
    clear : In(1)
        Drop all that is held, and what is taken in this cycle: what is offered is withdrawn.
    """

    def __init__(self, shape) -> None:
        self.spare, self.spare_valid = Signal(shape), Signal()
        self.moves = Signal()
        self.following, self.following_valid = Signal(shape), Signal()
        super().__init__(
            {
                "input": In(stream.Signature(shape)),
                "output": Out(stream.Signature(shape)),
                "flush": In(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        offered = self.output
        accept = Signal()
        m.d.comb += [
            self.input.ready.eq(~self.spare_valid),
            accept.eq(self.input.valid & ~self.spare_valid & ~self.flush),
            self.moves.eq(offered.ready | ~offered.valid),
            self.following.eq(Mux(self.spare_valid, self.spare, self.input.payload)),
            self.following_valid.eq((self.spare_valid & ~self.flush) | accept),
        ]
        with m.If(~self.spare_valid):
            m.d.sync += self.spare.eq(self.input.payload)
        with m.If(self.moves):
            m.d.sync += [
                offered.payload.eq(self.following),
                offered.valid.eq(self.following_valid),
                self.spare_valid.eq(0),
            ]
        with m.Else():
            m.d.sync += self.spare_valid.eq(~self.flush & (self.spare_valid | accept))
        with m.If(self.clear):
            m.d.sync += [offered.valid.eq(0), self.spare_valid.eq(0)]
        return m
