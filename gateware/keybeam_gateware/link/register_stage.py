"""Registers between two blocks of the link, so that neither waits for the other within a cycle."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RegisterStage"]


class RegisterStage(wiring.Component):
    """Takes an item when it holds none, and gives it on: one item in two cycles at most.

    The serial line moves a byte in tens of cycles, so nothing is lost by that.

    Parameters
    ----------
    shape : shape-like
        An item.

    Members
    -------
    input : In(stream.Signature(shape))
        Items; `ready` is from a register.
    output : Out(stream.Signature(shape))
        The same items; `valid` and `payload` are from registers.
    """

    def __init__(self, shape) -> None:
        super().__init__(
            {"input": In(stream.Signature(shape)), "output": Out(stream.Signature(shape))}
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.input.ready.eq(~self.output.valid)
        with m.If(~self.output.valid):
            m.d.sync += [
                self.output.valid.eq(self.input.valid),
                self.output.payload.eq(self.input.payload),
            ]
        with m.Elif(self.output.ready):
            m.d.sync += self.output.valid.eq(0)
        return m
