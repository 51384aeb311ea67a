import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from keybeam_gateware.pipeline import earlier_cycle

BITS = 8


class Numbers(wiring.Component):
    """The number of the cycle, and that of an earlier one."""

    cycle: Out(BITS)
    earlier: Out(BITS)

    def __init__(self, age):
        self._age = age
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        cycle = Signal(BITS)
        m.d.sync += cycle.eq(cycle + 1)
        m.d.comb += [self.cycle.eq(cycle), self.earlier.eq(earlier_cycle(m, cycle, self._age))]
        return m


@pytest.mark.parametrize("age", [2, 3, 9, 15])
def test_an_earlier_cycle_has_the_number_that_it_had(bench, age):
    dut = Numbers(age)

    async def testbench(ctx):
        # Twice round, so past every carry of the lower half and the end of the number.
        for cycle in range(2 << BITS):
            if cycle >= 2:
                assert ctx.get(dut.earlier) == (ctx.get(dut.cycle) - age) % (1 << BITS)
            await ctx.tick()

    bench.run(dut, testbench)
