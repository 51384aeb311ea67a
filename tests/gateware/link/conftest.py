"""What the tests of the link's blocks share: a clock, and streams with back-pressure."""

import random
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


async def _receive(ctx, port, ends, is_end, pause):
    """Take values up to the end number `ends`; checks that an offered value stays until taken."""
    taken = []
    offered = None
    while ends:
        ready = not pause()
        ctx.set(port.ready, ready)
        _, _, valid, value = await ctx.tick().sample(port.valid, port.payload)
        assert offered is None or (valid and value == offered)
        offered = value if valid and not ready else None
        if valid and ready:
            taken.append(value)
            ends -= bool(is_end(value))
    ctx.set(port.ready, 0)
    return taken


def _pauses(seed, share):
    """Say at random, so often out of one, that a stream pauses."""
    generator = random.Random(seed)
    return lambda: generator.random() < share


def _packet(plain):
    """Values of a packet stream for one packet."""
    return [{"data": byte, "last": place == len(plain) - 1} for place, byte in enumerate(plain)]


def _packets(values):
    """Packets of the values taken from a packet stream."""
    packets = [bytearray()]
    for value in values:
        packets[-1].append(value.data)
        if value.last:
            packets.append(bytearray())
    assert not packets.pop()
    return [bytes(packet) for packet in packets]


@pytest.fixture
def bench():
    """Run a component (`run`), move values through streams, and make and join packets."""
    return SimpleNamespace(
        run=_run, send=_send, receive=_receive, pauses=_pauses, packet=_packet, packets=_packets
    )
