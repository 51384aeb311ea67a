import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.downlink import (
    FRAME_BYTES,
    PAYLOAD_BYTES,
    DownlinkFrame,
    FrameFlag,
    decode_frame,
    encode_frame,
)
from keybeam_gateware.receiver.data_recovery import recovered_bits
from keybeam_gateware.receiver.deframer import Deframer
from keybeam_gateware.receiver.frame_aligner import FrameAligner
from keybeam_gateware.receiver.message_buffer import MessageBuffer

BODY = FRAME_BYTES - 8


async def feed_bytes(ctx, dut, body, spacing):
    """Hand over the bytes of a frame body, and give what was reported meanwhile."""
    header = ended = None
    for place, byte in enumerate(body):
        ctx.set(dut.valid, 1)
        ctx.set(dut.data, int(byte))
        ctx.set(dut.first, place == 0)
        for wait in range(spacing + (10 if place == len(body) - 1 else 0)):
            _, _, shown, valid, counter, flags, good, bad, dropped = await ctx.tick().sample(
                dut.header, dut.header_valid, dut.counter, dut.flags, dut.good, dut.bad, dut.dropped
            )
            if wait == 0:
                ctx.set(dut.valid, 0)
            if shown:
                assert header is None
                header = (bool(valid), counter, flags)
            if good or bad:
                assert ended is None
                ended = ("good" if good else "bad", bool(dropped))
    return header, ended


async def take_message(ctx, port, taken, generator):
    """Take bytes of a message for ever, with random pauses."""
    while True:
        ready = generator.random() < 0.7
        ctx.set(port.ready, ready)
        _, _, valid, byte = await ctx.tick().sample(port.valid, port.payload)
        if valid and ready:
            taken.append(byte)


def body_of(bits):
    return np.packbits(bits)[8:]


def test_frames_with_and_without_errors_agree_with_the_protocol(bench):
    generator, rng = random.Random(1), np.random.default_rng(1)
    dut = Deframer()
    cases, taken, reports = [], [], []
    lengths = [0, 1, PAYLOAD_BYTES, 700, 33, 300]
    errors = ["none", "payload", "none", "header", "check sum", "none"]
    for number, (length, error) in enumerate(zip(lengths, errors, strict=True)):
        frame = DownlinkFrame(
            (1 << 48) - 3 + number if number < 2 else 77 * number,
            FrameFlag(number % 8),
            rng.bytes(length),
        )
        bits = encode_frame(frame)
        if error == "payload":
            bits[8 * 20 + 5] ^= 1
        elif error == "header":
            bits[64 + rng.integers(0, 96)] ^= 1
        elif error == "check sum":
            bits[-1] ^= 1
        cases.append((frame, bits, error))

    async def testbench(ctx):
        for _, bits, _ in cases:
            reports.append(await feed_bytes(ctx, dut, body_of(bits), 4))
        for _ in range(50):
            await ctx.tick()

    async def reader(ctx):
        await take_message(ctx, dut.message, taken, generator)

    bench.run(dut, testbench, background=[reader])
    expected = b""
    counter = 0
    for (frame, bits, error), (header, ended) in zip(cases, reports, strict=True):
        decoded = decode_frame(bits)
        assert ended == ("good" if decoded else "bad", False)
        if error == "header":
            counter = (counter + 1) % (1 << 48)
            assert header == (False, counter, 0)
        else:
            counter = frame.counter
            assert header == (True, frame.counter, frame.flags)
        expected += decoded.payload if decoded else b""
    assert bytes(taken) == expected


def test_every_wrong_header_bit_is_noticed(bench):
    frame = DownlinkFrame(0x123456789ABC, FrameFlag.RUNNING, b"")
    # Enough of the frame for the header; the next one cuts it short.
    short = 16
    clean = encode_frame(frame)
    dut = Deframer()
    reports = []

    async def testbench(ctx):
        ctx.set(dut.message.ready, 1)
        for place in range(96):
            bits = clean.copy()
            bits[64 + place] ^= 1
            reports.append(await feed_bytes(ctx, dut, body_of(bits)[:short], 4))

    bench.run(dut, testbench)
    assert [header for header, _ in reports] == [(False, n, 0) for n in range(1, 97)]
    assert [ended for _, ended in reports] == [None] + [("bad", False)] * 95


def test_payload_of_a_cut_frame_does_not_leave(bench):
    taken = []
    rng = np.random.default_rng(3)
    first = encode_frame(DownlinkFrame(1, FrameFlag(0), rng.bytes(500)))
    payload = rng.bytes(20)
    second = encode_frame(DownlinkFrame(2, FrameFlag(0), payload))
    dut = Deframer()

    async def testbench(ctx):
        await feed_bytes(ctx, dut, body_of(first)[:300], 4)
        _, ended = await feed_bytes(ctx, dut, body_of(second), 4)
        # The cut frame is reported when the next one begins, the next one at its end.
        assert ended == ("good", False)

    async def reader(ctx):
        await take_message(ctx, dut.message, taken, random.Random(2))

    with pytest.raises(AssertionError, match="ended is None"):
        bench.run(dut, testbench, background=[reader])
