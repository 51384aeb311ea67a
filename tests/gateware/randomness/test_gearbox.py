import random

import pytest

from keybeam_gateware.randomness import Gearbox

WIDTHS = [(16, 16), (16, 24), (16, 48), (64, 16), (3, 5), (5, 3), (8, 12), (12, 8), (1, 4), (4, 1)]


def marked_bits(words, width):
    """Bits of the words with their marks, the lowest of the first word first."""
    return [(word["bits"] >> place & 1, word["live"]) for word in words for place in range(width)]


def repacked(words, input_width, output_width):
    """What has to come out: whole words only, live if all of their bits are."""
    bits = marked_bits(words, input_width)
    return [
        {
            "bits": sum(
                bit << at for at, (bit, _) in enumerate(bits[place : place + output_width])
            ),
            "live": int(all(live for _, live in bits[place : place + output_width])),
        }
        for place in range(0, len(bits) - output_width + 1, output_width)
    ]


def some_words(rng, count, width):
    return [{"bits": rng.getrandbits(width), "live": int(rng.random() < 0.8)} for _ in range(count)]


def plain(payload):
    return {"bits": payload.bits, "live": payload.live}


@pytest.mark.parametrize(("input_width", "output_width"), WIDTHS)
@pytest.mark.parametrize(("wait_in", "wait_out"), [(0.0, 0.0), (0.5, 0.1), (0.1, 0.7)])
def test_every_bit_once_and_in_order(bench, input_width, output_width, wait_in, wait_out):
    rng = random.Random(f"{input_width} {output_width} {wait_in} {wait_out}")
    words = some_words(rng, 60 * output_width // input_width + 60, input_width)
    expected = repacked(words, input_width, output_width)
    dut = Gearbox(input_width, output_width)
    taken = []

    async def source(ctx):
        await bench.send(ctx, dut.input, words, lambda: rng.random() < wait_in)

    async def sink(ctx):
        taken.extend(
            await bench.receive(ctx, dut.output, len(expected), lambda: rng.random() < wait_out)
        )
        ctx.set(dut.output.ready, 1)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.output.valid), "more came out than went in"

    bench.run(dut, source, sink)
    assert [plain(payload) for payload in taken] == expected


@pytest.mark.parametrize(("input_width", "output_width"), WIDTHS)
def test_no_cycle_is_lost(bench, input_width, output_width):
    dut = Gearbox(input_width, output_width)
    moved = {"in": 0, "out": 0}
    cycles, begin = 300, 20

    async def both_sides_always_there(ctx):
        ctx.set(dut.input.valid, 1)
        ctx.set(dut.output.ready, 1)
        for cycle in range(begin + cycles):
            _, _, ready, valid = await ctx.tick().sample(dut.input.ready, dut.output.valid)
            if cycle >= begin:
                moved["in"] += ready
                moved["out"] += valid

    bench.run(dut, both_sides_always_there)
    wider = "in" if input_width < output_width else "out"
    assert moved[wider] == cycles


def test_words_do_not_pass_while_the_output_waits(bench):
    dut = Gearbox(64, 16)

    async def full(ctx):
        ctx.set(dut.input.valid, 1)
        taken = 0
        for _ in range(50):
            _, _, ready = await ctx.tick().sample(dut.input.ready)
            taken += ready
        assert taken == 1
        assert not ctx.get(dut.input.ready)

    bench.run(dut, full)


@pytest.mark.parametrize("taken_with_the_clear", [False, True])
def test_clear_leaves_no_bit(bench, taken_with_the_clear):
    dut = Gearbox(16, 24)

    async def cleared(ctx):
        ctx.set(dut.input.valid, 1)
        ctx.set(dut.input.payload, {"bits": 0xAAAA, "live": 1})
        for _ in range(6):
            await ctx.tick()
        assert ctx.get(dut.output.valid)
        ctx.set(dut.clear, 1)
        ctx.set(dut.output.ready, taken_with_the_clear)
        _, _, valid = await ctx.tick().sample(dut.output.valid)
        assert valid
        ctx.set(dut.clear, 0)
        ctx.set(dut.input.payload, {"bits": 0x5555, "live": 1})
        ctx.set(dut.output.ready, 1)
        words = []
        for _ in range(10):
            _, _, valid, payload = await ctx.tick().sample(dut.output.valid, dut.output.payload)
            if valid:
                words.append(payload.bits)
        assert words[:4] == [0x555555] * 4

    bench.run(dut, cleared)
