import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from keybeam.protocol.downlink import (
    PAYLOAD_BYTES,
    DownlinkFrame,
    FrameFlag,
    decode_frame,
    encode_frame,
)
from keybeam.protocol.numbers import FRAME_BITS
from keybeam_gateware.line.framer import FRAMER_LATENCY, PAYLOAD_BUFFER_BYTES, Framer
from keybeam_gateware.line.payload_buffer import PayloadBuffer
from keybeam_gateware.transmitter.timebase import Timebase


class TimedFramer(wiring.Component):
    """Framer on a time base, as the core joins them."""

    def __init__(self):
        self.timebase, self.framer = Timebase(), Framer()
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self.timebase, self.framer]
        m.d.comb += [
            self.framer.cycle.eq(self.timebase.time.cycle),
            self.framer.counter.eq(self.timebase.time.frame),
        ]
        return m


def test_frames_equal_the_reference_encoder_bit_for_bit(bench):
    rng = random.Random(5)
    dut = TimedFramer()
    sent = rng.randbytes(PAYLOAD_BUFFER_BYTES + 300)
    flags = [FrameFlag.RUNNING, FrameFlag.NOT_KEY | FrameFlag.UNDERFLOW, FrameFlag(0)]
    bits = []

    async def watch(ctx):
        for number in range(FRAMER_LATENCY + len(flags) * FRAME_BITS):
            frame, cycle = divmod(number, FRAME_BITS)
            if cycle == 0 and frame < len(flags):
                ctx.set(dut.framer.flags, flags[frame])
            _, _, line = await ctx.tick().sample(dut.framer.line)
            bits.append(line)

    async def feed(ctx):
        await bench.send(ctx, dut.framer.payload, sent, lambda: rng.random() < 0.2)

    bench.run(dut, watch, background=[feed])
    line = np.array(bits[FRAMER_LATENCY:], np.uint8).reshape(len(flags), FRAME_BITS)
    frames = [decode_frame(frame) for frame in line]
    for counter, (frame, seen) in enumerate(zip(frames, line, strict=True)):
        expected = DownlinkFrame(counter, flags[counter], frame.payload)
        assert np.array_equal(seen, encode_frame(expected))
    # The first frame takes what came during its sync word, the second as much as fits.
    assert 30 < len(frames[0].payload) < 70
    assert len(frames[1].payload) == PAYLOAD_BYTES
    assert b"".join(frame.payload for frame in frames) == sent


@pytest.mark.parametrize("wait", [0.0, 0.3, 0.9])
def test_buffer_keeps_order_and_never_overflows(bench, wait):
    rng = random.Random(f"{wait}")
    dut = PayloadBuffer(16)
    values = list(rng.randbytes(200))
    taken, levels = [], []

    async def source(ctx):
        await bench.send(ctx, dut.payload, values, lambda: rng.random() < 0.3)

    async def sink(ctx):
        while len(taken) < len(values):
            levels.append(ctx.get(dut.level))
            if levels[-1] == 0 or rng.random() < wait:
                await ctx.tick()
                continue
            await ctx.tick().repeat(2)
            taken.append(ctx.get(dut.oldest))
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)
            await ctx.tick()

    bench.run(dut, source, sink)
    assert taken == values
    assert 16 - 3 <= max(levels) < 16
