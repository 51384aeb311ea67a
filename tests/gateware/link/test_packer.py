import random

from keybeam.protocol.link import FrameKind
from keybeam_gateware.link.packer import Packer

FLUSH = 300


def packer(**changes):
    options = {
        "kind": FrameKind.TAGS,
        "item_bits": 64,
        "maximum": 5,
        "depth": 16,
        "flush_cycles": FLUSH,
        "numbered": True,
    }
    return Packer(**(options | changes))


def unpack(frames):
    """Items of frames, whose head and numbering are checked."""
    items = []
    for place, frame in enumerate(frames):
        assert frame[0] == FrameKind.TAGS
        assert frame[1] == place % 256
        assert int.from_bytes(frame[2:6], "little") == len(items)
        body = frame[6:]
        assert 1 <= len(body) // 8 <= 5
        assert len(body) % 8 == 0
        items += [int.from_bytes(body[at : at + 8], "little") for at in range(0, len(body), 8)]
    return items


def test_every_item_arrives_in_order_under_back_pressure(bench):
    component = packer()
    generator = random.Random(8)
    items = [generator.getrandbits(64) for _ in range(150)]
    got = []

    async def feed(ctx):
        # In bursts longer than the buffer, and with silences longer than the flush time-out.
        for start in range(0, len(items), 50):
            chunk = items[start : start + 50]
            await bench.send(ctx, component.items, chunk, bench.pauses(start, 0.1))
            await ctx.tick().repeat(2 * FLUSH)

    async def take(ctx):
        while len(got) < 8 * len(items) + 6 * sum(value.last for value in got):
            got.extend(
                await bench.receive(ctx, component.output, 1, bench.pauses(2, 0.6), bench.is_last)
            )

    bench.run(component, feed, take)
    assert unpack(bench.packets(got)) == items


def test_a_short_frame_leaves_after_the_time_out_and_a_full_one_at_once(bench):
    component = packer()
    cycles = {}

    async def feed(ctx):
        await ctx.tick().repeat(4 * FLUSH)  # silence makes no frame
        await bench.send(ctx, component.items, [1], lambda: False)
        _, _, cycles["short"] = await wait_for_frame(ctx)
        await bench.send(ctx, component.items, range(5), lambda: False)
        _, _, cycles["full"] = await wait_for_frame(ctx)

    async def wait_for_frame(ctx):
        ctx.set(component.output.ready, 1)
        count = 0
        first = None
        while True:
            _, _, valid, value = await ctx.tick().sample(
                component.output.valid, component.output.payload
            )
            count += 1
            if valid and first is None:
                first = count
            if valid and value.last:
                return valid, value, first

    bench.run(component, feed)
    assert FLUSH <= cycles["short"] <= FLUSH + 20
    assert cycles["full"] <= 20


def test_bytes_are_packed_without_a_number(bench):
    component = packer(kind=FrameKind.MESSAGE, item_bits=8, maximum=240, depth=512, numbered=False)
    message = random.Random(9).randbytes(300)
    got = []

    async def feed(ctx):
        await bench.send(ctx, component.items, message, lambda: False)

    async def take(ctx):
        got.extend(await bench.receive(ctx, component.output, 2, lambda: False, bench.is_last))

    bench.run(component, feed, take)
    first, second = bench.packets(got)
    assert first == bytes([FrameKind.MESSAGE, 0]) + message[:240]
    assert second == bytes([FrameKind.MESSAGE, 1]) + message[240:]
