"""Words cross from one clock to another in order, whatever the clocks are."""

import random

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from keybeam_gateware.memory.crossing import Crossing

DEPTH, MARGIN, WORDS = 16, 3, 400
SEED = 5


@pytest.mark.parametrize("period_ns", [13.333, 6.4, 5.1, 40.0], ids="{} ns".format)
def test_words_cross_in_order(period_ns):
    print("seed", SEED)
    generator = random.Random(SEED)
    m = Module()
    m.domains.dram = ClockDomain()
    m.submodules.crossing = crossing = Crossing(12, depth=DEPTH)
    received, waited = [], []

    async def writer(ctx):
        for word in range(WORDS):
            while ctx.get(crossing.level) > DEPTH - MARGIN or generator.random() < 0.2:
                waited.append(word)
                await ctx.tick()
            ctx.set(crossing.word, word)
            ctx.set(crossing.write, 1)
            await ctx.tick()
            ctx.set(crossing.write, 0)

    async def reader(ctx):
        while len(received) < WORDS:
            ctx.set(crossing.output.ready, generator.random() < 0.7)
            _, _, valid, ready, word = await ctx.tick("dram").sample(
                crossing.output.valid, crossing.output.ready, crossing.output.payload
            )
            if valid and ready:
                received.append(word)

    simulator = Simulator(m)
    simulator.add_clock(6.4e-9)
    simulator.add_clock(period_ns * 1e-9, domain="dram", phase=1.7e-9)
    simulator.add_testbench(writer)
    simulator.add_testbench(reader)
    simulator.run()
    assert received == list(range(WORDS))
    assert waited
