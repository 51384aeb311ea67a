"""Flip-flops by block, against a design of which they are known."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_boards.block_sizes import BlockSize, block_sizes


class Delay(wiring.Component):
    """Some registers in a row."""

    def __init__(self, width, cycles):
        self._cycles = cycles
        super().__init__({"input": In(width), "output": Out(width)})

    def elaborate(self, platform):
        m = Module()
        value = self.input
        for _ in range(self._cycles):
            later = Signal.like(self.output)
            m.d.sync += later.eq(value)
            value = later
        m.d.comb += self.output.eq(value)
        return m


class Nested(wiring.Component):
    """Two such blocks and three flip-flops of its own."""

    input: In(8)
    output: Out(8)
    count: Out(3)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = first = Delay(8, 5)
        m.submodules.second = second = Delay(8, 2)
        m.d.comb += [
            first.input.eq(self.input),
            second.input.eq(first.output),
            self.output.eq(second.output),
        ]
        m.d.sync += self.count.eq(self.count + 1)
        return m


def test_flip_flops_of_blocks_add_up():
    assert block_sizes(Nested(), lambda line: None) == [
        BlockSize("", 8 * 5 + 8 * 2 + 3),
        BlockSize("first", 8 * 5),
        BlockSize("second", 8 * 2),
    ]
