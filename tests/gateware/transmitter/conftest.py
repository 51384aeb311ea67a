"""What the tests of the transmitter's blocks share: a clock, and streams with back-pressure."""

from types import SimpleNamespace

import pytest
from amaranth.sim import Simulator

CLOCK_PERIOD = 6.4e-9


def _run(component, *testbenches, background=()):
    """Run a component until every one of `testbenches` has ended."""
    simulator = Simulator(component)
    simulator.add_clock(CLOCK_PERIOD)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    for testbench in background:
        simulator.add_testbench(testbench, background=True)
    simulator.run()


async def _send(ctx, port, values, pause):
    """Put values into a stream; `pause` tells before each whether to wait a cycle."""
    for value in values:
        while pause():
            await ctx.tick()
        ctx.set(port.payload, value)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)


async def _receive(ctx, port, count, pause):
    """Take `count` values from a stream; checks that an offered value stays until it is taken."""
    taken = []
    offered = None
    while len(taken) < count:
        ready = not pause()
        ctx.set(port.ready, ready)
        _, _, valid, value = await ctx.tick().sample(port.valid, port.payload)
        assert offered is None or (valid and value == offered)
        offered = value if valid and not ready else None
        if valid and ready:
            taken.append(value)
    ctx.set(port.ready, 0)
    return taken


@pytest.fixture
def bench():
    """Run a component (`run`) and move values through streams (`send`, `receive`)."""
    return SimpleNamespace(run=_run, send=_send, receive=_receive)
