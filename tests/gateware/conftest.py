"""What the tests of the gateware share: a clock, streams with back-pressure, sampled lines."""

from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.sim import Simulator

from keybeam.protocol.downlink import (
    FRAME_VERSION,
    SYNC_BYTES,
    SYNC_WORD,
    crc16,
    crc32,
    encode_frame,
    scrambler_bits,
)
from keybeam.protocol.numbers import FRAME_BITS

CLOCK_PERIOD = 6.4e-9


def _play(component, cycles, inputs, outputs):
    """Set inputs before every clock edge; give what the outputs were at every edge.

    `inputs` are pairs of a port and its values, `outputs` maps names to ports.
    """
    found = {name: [] for name in outputs}
    names, ports = list(outputs), list(outputs.values())
    driven = [(port, list(values)) for port, values in inputs]

    async def testbench(ctx):
        for cycle in range(cycles):
            for port, values in driven:
                ctx.set(port, values[cycle])
            _, _, *sampled = await ctx.tick().sample(*ports)
            for name, value in zip(names, sampled, strict=True):
                found[name].append(value)

    _run(component, testbench)
    return SimpleNamespace(**found)


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


async def _receive(ctx, port, count, pause, is_end=lambda value: True):
    """Take values from a stream up to the `count`-th that `is_end`, which is each if not said.

    Checks that an offered value stays until it is taken.
    """
    taken = []
    offered = None
    while count:
        ready = not pause()
        ctx.set(port.ready, ready)
        _, _, valid, value = await ctx.tick().sample(port.valid, port.payload)
        assert offered is None or (valid and value == offered)
        offered = value if valid and not ready else None
        if valid and ready:
            taken.append(value)
            count -= bool(is_end(value))
    ctx.set(port.ready, 0)
    return taken


def _sample_line(bits, *, offset=0.0, start=0.0, jitter=0.0, rng=None, cycles=None):
    """Sample line bits four times a cycle.

    Gives the samples of each cycle as a number, earliest lowest, and the number of the first
    sample of each bit. Bits last 4 (1 + offset) samples, the first begins at `start`, and their
    borders are displaced by a normal deviation of `jitter` samples.
    """
    borders = start + 4 * (1 + offset) * np.arange(len(bits) + 1)
    if jitter:
        borders = borders + rng.normal(0, jitter, len(borders)).clip(-1.4, 1.4)
    last = cycles if cycles is not None else int(borders[-1]) // 4
    which = np.searchsorted(borders, np.arange(4 * last), "right") - 1
    samples = np.where((which >= 0) & (which < len(bits)), bits[which.clip(0, len(bits) - 1)], 0)
    words = samples.reshape(-1, 4) @ (1 << np.arange(4))
    return words.tolist(), np.ceil(borders[:-1]).astype(int)


def _short_frame(frame, frame_bits):
    """Line bits of a frame like `encode_frame`, of another length."""
    if frame_bits == FRAME_BITS:
        return encode_frame(frame)
    head = frame.counter.to_bytes(6, "big") + bytes([frame.flags, FRAME_VERSION])
    head += len(frame.payload).to_bytes(2, "big")
    room = frame_bits // 8 - SYNC_BYTES - 12 - 4
    body = head + crc16(head).to_bytes(2, "big") + frame.payload.ljust(room, b"\0")
    body += crc32(body).to_bytes(4, "big")
    bits = np.unpackbits(np.frombuffer(SYNC_WORD.to_bytes(SYNC_BYTES, "big") + body, np.uint8))
    bits[8 * SYNC_BYTES :] ^= scrambler_bits()[: frame_bits - 8 * SYNC_BYTES]
    return bits


@pytest.fixture
def bench():
    """Run a component (`run`, `play`), move values through streams (`send`, `receive`), and make
    lines (`sample_line`, `frame`).
    """
    return SimpleNamespace(
        run=_run,
        play=_play,
        send=_send,
        receive=_receive,
        sample_line=_sample_line,
        frame=_short_frame,
    )
