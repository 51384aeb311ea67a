import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.downlink import (
    PAYLOAD_BYTES,
    DownlinkFrame,
    FrameFlag,
    decode_frame,
    encode_frame,
)
from keybeam_gateware.line.data_recovery import recovered_bits
from keybeam_gateware.line.deframer import Deframer
from keybeam_gateware.line.frame_aligner import FrameAligner
from keybeam_gateware.line.message_buffer import MessageBuffer

SHORT = 4096
"""Line bits of a frame where its length does not matter."""


async def feed_bytes(ctx, dut, body, spacing=4):
    """Hand over the bytes of a frame body; give the headers and ends reported meanwhile."""
    headers, ends = [], []
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
                headers.append((bool(valid), counter, flags))
            if good or bad:
                ends.append("good" if good else "bad")
            assert not (bad and dropped)
            if dropped:
                ends.append("dropped")
    return headers, ends


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
    lengths = [PAYLOAD_BYTES, 33, 700, 1, 300]
    errors = ["none", "payload", "header", "check sum", "none"]
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
            reports.append(await feed_bytes(ctx, dut, body_of(bits)))
        for _ in range(3 * lengths[-1]):
            await ctx.tick()

    async def reader(ctx):
        await take_message(ctx, dut.message, taken, generator)

    bench.run(dut, testbench, background=[reader])
    expected = b""
    counter = 0
    for (frame, bits, error), ((header,), ended) in zip(cases, reports, strict=True):
        decoded = decode_frame(bits)
        assert ended == ["good" if decoded else "bad"]
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
            reports.append(await feed_bytes(ctx, dut, body_of(bits)[:short]))

    bench.run(dut, testbench)
    assert [headers for headers, _ in reports] == [[(False, n, 0)] for n in range(1, 97)]
    assert [ends for _, ends in reports] == [[]] + [["bad"]] * 95


def test_payload_of_a_cut_frame_does_not_leave(bench):
    taken, reports = [], []
    rng = np.random.default_rng(3)
    payload = rng.bytes(20)
    first = bench.frame(DownlinkFrame(1, FrameFlag(0), rng.bytes(400)), SHORT)
    second = bench.frame(DownlinkFrame(2, FrameFlag(0), payload), SHORT)
    dut = Deframer(frame_bits=SHORT)

    async def testbench(ctx):
        reports.append(await feed_bytes(ctx, dut, body_of(first)[:300]))
        reports.append(await feed_bytes(ctx, dut, body_of(second)))
        for _ in range(50):
            await ctx.tick()

    async def reader(ctx):
        await take_message(ctx, dut.message, taken, random.Random(2))

    bench.run(dut, testbench, background=[reader])
    assert reports == [([(True, 1, 0)], []), ([(True, 2, 0)], ["bad", "good"])]
    assert bytes(taken) == payload


def test_good_frame_without_room_is_dropped_whole_and_counted(bench):
    taken, reports = [], []
    rng = np.random.default_rng(4)
    payloads = [rng.bytes(200), rng.bytes(100), rng.bytes(50)]
    frames = [
        bench.frame(DownlinkFrame(n, FrameFlag(0), payload), SHORT)
        for n, payload in enumerate(payloads)
    ]
    dut = Deframer(frame_bits=SHORT, buffer_bytes=256)

    async def testbench(ctx):
        # Nobody reads: the first and the last fit together.
        for bits in frames:
            reports.append(await feed_bytes(ctx, dut, body_of(bits)))
        ctx.set(dut.message.ready, 1)
        for _ in range(1000):
            _, _, valid, byte = await ctx.tick().sample(dut.message.valid, dut.message.payload)
            if valid:
                taken.append(byte)

    bench.run(dut, testbench)
    assert [ends for _, ends in reports] == [["good"], ["good", "dropped"], ["good"]]
    assert bytes(taken) == payloads[0] + payloads[2]


@pytest.mark.parametrize("seed", range(3))
def test_message_buffer_keeps_what_is_committed_and_nothing_else(bench, seed):
    generator = random.Random(seed)
    dut = MessageBuffer(depth=64)
    released, taken = [], []

    async def writer(ctx):
        pending, overflow = [], False
        for _ in range(4000):
            action = generator.choices(["write", "commit", "discard", "none"], [20, 1, 1, 8])[0]
            for name in ("write", "commit", "discard"):
                ctx.set(getattr(dut, name), action == name)
            byte = generator.randrange(256)
            ctx.set(dut.data, byte)
            _, _, was = await ctx.tick().sample(dut.overflow)
            overflow = bool(ctx.get(dut.overflow))
            if action == "write" and not was and not overflow:
                pending.append(byte)
            if action == "commit" and not was:
                released.extend(pending)
            if action in ("commit", "discard"):
                pending = []
                assert not overflow
        for name in ("write", "commit", "discard"):
            ctx.set(getattr(dut, name), 0)
        for _ in range(400):
            await ctx.tick()

    async def reader(ctx):
        await take_message(ctx, dut.message, taken, generator)

    bench.run(dut, writer, background=[reader])
    assert taken == released
    assert len(taken) > 500


class Alignment(wiring.Component):
    """Aligner and deframer as they stand in the receiver, with a frame start from outside."""

    recovered: In(recovered_bits())
    start: In(1)
    first_bit: In(16)
    message: Out(stream.Signature(8))
    header: Out(1)
    counter: Out(48)
    good: Out(1)
    bad: Out(1)

    def __init__(self, frame_bits):
        self._frame_bits = frame_bits
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.aligner = aligner = FrameAligner()
        m.submodules.deframer = deframer = Deframer(frame_bits=self._frame_bits)
        connect(m, flipped(self.recovered), aligner.recovered)
        connect(m, deframer.message, flipped(self.message))
        m.d.comb += [
            aligner.start.eq(self.start),
            aligner.first_bit.eq(self.first_bit),
            *(getattr(deframer, name).eq(getattr(aligner, name)) for name in ("valid", "data")),
            deframer.first.eq(aligner.first),
            *(
                getattr(self, name).eq(getattr(deframer, name))
                for name in ("header", "counter", "good", "bad")
            ),
        ]
        return m


@pytest.mark.parametrize("seed", range(4))
def test_frames_are_cut_out_of_bits_that_come_none_one_or_two_a_cycle(bench, seed):
    rng = np.random.default_rng(seed)
    frame_bits, frames = 256 + 8 * seed, 6
    sent = [
        DownlinkFrame(10 * n, FrameFlag(0), rng.bytes(int(rng.integers(0, 9))))
        for n in range(frames)
    ]
    lead = int(rng.integers(0, 40))
    bits = [rng.integers(0, 2, lead)]
    # Frames 2 and 4 are a bit short and a bit long; the next one is announced accordingly.
    for number, frame in enumerate(sent):
        line = bench.frame(frame, frame_bits)
        bits.append({2: np.delete(line, 200), 4: np.append(line, 0)}.get(number, line))
    begins = np.cumsum([len(part) for part in bits])[:-1]
    bits = np.concatenate([*bits, np.zeros(80, int)])
    counts, pairs, starts = [], [], {}
    place = 0
    while place + 2 <= len(bits):
        count = int(rng.choice([0, 1, 2], p=[0.1, 0.8, 0.1]))
        pair = bits[place : place + count]
        pairs.append(sum(int(bit) << at for at, bit in enumerate(pair)))
        counts.append(count)
        for begin in begins:
            if place < begin + 64 <= place + count:
                # As late as the extractor reports it.
                starts[len(counts) + 13] = int(begin) + 64 + 1
        place += count
    cycles = len(counts)
    dut = Alignment(frame_bits)
    found = bench.play(
        dut,
        cycles,
        [
            (dut.recovered.count, counts),
            (dut.recovered.bits, pairs),
            (dut.start, [cycle in starts for cycle in range(cycles)]),
            (dut.first_bit, [starts.get(cycle, 0) for cycle in range(cycles)]),
            (dut.message.ready, [1] * cycles),
        ],
        {
            "header": dut.header,
            "counter": dut.counter,
            "good": dut.good,
            "bad": dut.bad,
            "valid": dut.message.valid,
            "byte": dut.message.payload,
        },
    )
    counters = [n for n, shown in zip(found.counter, found.header, strict=True) if shown]
    assert counters == [frame.counter for frame in sent]
    message = bytes(b for b, valid in zip(found.byte, found.valid, strict=True) if valid)
    # A frame that lost a bit has lost its check sum; a bit too many does no harm.
    assert message == b"".join(frame.payload for n, frame in enumerate(sent) if n != 2)
    assert (sum(found.good), sum(found.bad)) == (frames - 1, 1)
