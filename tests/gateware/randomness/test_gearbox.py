import random

import pytest

from keybeam_gateware.randomness import Gearbox

WIDTHS = [(64, 16), (16, 64), (3, 5), (5, 3), (7, 7), (8, 12), (12, 8), (1, 4), (4, 1)]


def bits_of(words, width):
    """All bits of the words, the lowest of the first word first."""
    return [word >> place & 1 for word in words for place in range(width)]


@pytest.mark.parametrize(("input_width", "output_width"), WIDTHS)
@pytest.mark.parametrize(("wait_in", "wait_out"), [(0.0, 0.0), (0.5, 0.1), (0.1, 0.7), (0.5, 0.5)])
def test_every_bit_once_and_in_order(bench, input_width, output_width, wait_in, wait_out):
    rng = random.Random(f"{input_width} {output_width} {wait_in} {wait_out}")
    words = [rng.getrandbits(input_width) for _ in range(60 * output_width // input_width + 60)]
    whole = len(words) * input_width // output_width
    dut = Gearbox(input_width, output_width)
    taken = []

    async def source(ctx):
        await bench.send(ctx, dut.input, words, lambda: rng.random() < wait_in)

    async def sink(ctx):
        taken.extend(await bench.receive(ctx, dut.output, whole, lambda: rng.random() < wait_out))
        ctx.set(dut.output.ready, 1)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(dut.output.valid), "more came out than went in"

    bench.run(dut, source, sink)
    assert bits_of(taken, output_width) == bits_of(words, input_width)[: whole * output_width]


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
