import random
import zlib

from keybeam_gateware.link.framing import FRAME_MAXIMUM, FrameChecker, FrameSealer

GENERATOR = random.Random(5)
FRAMES = [GENERATOR.randbytes(length) for length in (2, 3, 6, 100, FRAME_MAXIMUM - 4, 2)]


def sealed(frame):
    return frame + zlib.crc32(frame).to_bytes(4, "little")


def test_sealer_appends_the_check_sum_of_zlib(bench):
    sealer = FrameSealer()
    got = []

    async def feed(ctx):
        for frame in FRAMES:
            await bench.send(ctx, sealer.input, bench.packet(frame), bench.pauses(1, 0.2))

    async def take(ctx):
        got.extend(
            await bench.receive(
                ctx, sealer.output, len(FRAMES), bench.pauses(2, 0.3), bench.is_last
            )
        )

    bench.run(sealer, feed, take)
    assert bench.packets(got) == [sealed(frame) for frame in FRAMES]


def test_checker_passes_right_frames_and_counts_wrong_ones(bench):
    checker = FrameChecker()
    wrong = [
        sealed(b"kind")[:-1] + b"\0",  # a spoilt check sum
        b"\0" + sealed(b"kind")[1:],  # a spoilt byte
        zlib.crc32(b"k").to_bytes(4, "little"),  # too short
        sealed(b"k"),
        sealed(bytes(FRAME_MAXIMUM - 3)),  # too long by one
        sealed(GENERATOR.randbytes(300)),
    ]
    order = [wrong[0], *map(sealed, FRAMES[:3]), *wrong[1:], *map(sealed, FRAMES[3:])]
    broken = sealed(b"right but for its stuffing")
    got, lengths, accepted, dropped = [], [], 0, 0

    async def feed(ctx):
        for frame in [*order[:4], broken, *order[4:]]:
            values = bench.packet(frame)
            values[-1]["broken"] = frame is broken
            await bench.send(ctx, checker.input, values, bench.pauses(1, 0.2))

    async def take(ctx):
        got.extend(
            await bench.receive(
                ctx, checker.output, len(FRAMES), bench.pauses(2, 0.3), bench.is_last
            )
        )

    async def count(ctx):
        nonlocal accepted, dropped
        async for _, _, one, other, valid, length in ctx.tick().sample(
            checker.accepted, checker.dropped, checker.output.valid, checker.length
        ):
            accepted += one
            dropped += other
            if valid:
                lengths.append(length)

    bench.run(checker, feed, take, background=[count])
    assert bench.packets(got) == FRAMES
    assert (accepted, dropped) == (len(FRAMES), len(wrong) + 1)
    assert set(lengths) == {len(frame) for frame in FRAMES}
