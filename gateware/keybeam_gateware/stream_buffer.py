"""Room for two items between blocks, so that neither waits for the other within a cycle."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.synthesis import APART

__all__ = ["SlicedBuffer", "StreamBuffer"]


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
        # `ready` itself is the register: no table is between it and who asks.
        room = Signal(init=1)
        m.d.comb += [
            self.input.ready.eq(room),
            self.spare_valid.eq(~room),
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
                room.eq(1),
            ]
        with m.Else():
            m.d.sync += room.eq(self.flush | (room & ~accept))
        with m.If(self.clear):
            m.d.sync += [offered.valid.eq(0), room.eq(1)]
        return m


class SlicedBuffer(wiring.Component):
    """A `StreamBuffer` for wide items in slices, each with its own control.

    Whether an item is taken is often known late in a cycle; from there one signal to all bits of a
    wide item is a long way. Here each slice has one of its own, as near as the slice is. They have
    to be synthesised apart, or their controls, which are alike, become one: their names begin with
    `APART`.

    Parameters
    ----------
    shape : shape-like
        An item.
    slices : int
        Number of slices.

    Attributes
    ----------
    slices : list of StreamBuffer
        The slices, the lowest bits first. All do the same at all times.
    spare, spare_valid : Signal
        The item behind the one that is offered, and that there is one.

    Members
    -------
    input : In(stream.Signature(shape))
        Items; `ready` is from a register.
    output : Out(stream.Signature(shape))
        The same items; `valid` and `payload` are from registers.
    """

    def __init__(self, shape, slices: int = 4) -> None:
        self.spare, self.spare_valid = Signal(shape), Signal()
        width = Shape.cast(shape).width
        self._bounds = [width * place // slices for place in range(slices + 1)]
        self.slices = [StreamBuffer(end - begin) for begin, end in pairwise(self._bounds)]
        super().__init__(
            {"input": In(stream.Signature(shape)), "output": Out(stream.Signature(shape))}
        )

    def elaborate(self, platform):
        m = Module()
        items = Value.cast(self.input.payload)
        for number, (begin, end) in enumerate(pairwise(self._bounds)):
            part = self.slices[number]
            m.submodules[f"{APART}{number}"] = part
            m.d.comb += [
                part.input.valid.eq(self.input.valid),
                part.input.payload.eq(items[begin:end]),
                part.output.ready.eq(self.output.ready),
            ]
        first = self.slices[0]
        m.d.comb += [
            self.input.ready.eq(first.input.ready),
            self.output.valid.eq(first.output.valid),
            Value.cast(self.output.payload).eq(Cat(part.output.payload for part in self.slices)),
            Value.cast(self.spare).eq(Cat(part.spare for part in self.slices)),
            self.spare_valid.eq(first.spare_valid),
        ]
        return m
