import random

import pytest

from keybeam.protocol.link import LookupStatus
from keybeam_gateware.transmitter.state_log import GUARD_WORDS, LOOKUP_CYCLES, StateLog

FRAME_WORDS = 32
LAG = 3


class Model:
    """What a look-up may answer at this moment."""

    def __init__(self, words):
        self.readable = words - GUARD_WORDS
        self.first = self.newest = None
        self.symbols = {}

    def write(self, word, symbols, first):
        if first:
            self.first, self.symbols = word, {}
        self.newest = word
        self.symbols[word] = symbols

    def answer(self, index):
        word, slot = divmod(index, 4)
        if self.newest is None or word > self.newest:
            return LookupStatus.TOO_NEW << 4
        if word < self.first or word <= self.newest - self.readable:
            return LookupStatus.TOO_OLD << 4
        return LookupStatus.FOUND << 4 | self.symbols[word][slot]


def interesting(rng, model, words):
    """An index at, near or far from the borders of what is held."""
    if model.newest is None:
        return rng.choice([0, 1, rng.getrandbits(64)])
    border = rng.choice([model.newest, model.newest - model.readable, model.first])
    place = rng.choice(
        [
            border + rng.randint(-4, 4),
            model.newest - rng.randrange(2 * words),
            border + rng.choice([-1, 1]) * (1 << rng.randrange(62)),
        ]
    )
    return place % (1 << 62) * 4 + rng.randrange(4)


def present(ctx, dut, valid, first, word, symbols):
    """Put a cycle of the pattern on `dut.sent`."""
    slots = {f"slot_{slot}": symbol for slot, symbol in enumerate(symbols)}
    sent = {"valid": valid, "first": first, "word": word, "symbols": slots}
    ctx.set(dut.sent, sent)


@pytest.mark.parametrize(
    ("frames", "start"), [(1, 0), (2, 5), (2, (1 << 26) - 2), (4, (1 << 48) - 9)]
)
def test_every_answer_was_true_while_it_was_looked_up(bench, frames, start):
    rng = random.Random(f"{frames} {start}")
    dut = StateLog(frames, FRAME_WORDS)
    words = frames * FRAME_WORDS
    model = Model(words)
    counts = dict.fromkeys(LookupStatus, 0)

    async def drive(ctx):
        word, burst, first = 0, 0, False
        index, allowed, age, taken = None, set(), 0, False
        for cycle in range(4000):
            # The pattern starts now and then, also with indices that were used before, and stops.
            if burst == 0 and cycle > 100 and rng.random() < 0.05:
                burst = rng.randint(LOOKUP_CYCLES, 4 * words)
                word = (start + rng.randrange(2)) * FRAME_WORDS
                first = True
            symbols = [rng.randrange(16) for _ in range(4)]
            present(ctx, dut, burst > 0, first, word, symbols)

            if index is None:
                index, allowed, age, taken = interesting(rng, model, words), set(), 0, False
                ctx.set(dut.index.payload, index)
            # A look-up may not know yet what was sent in the last cycles.
            offered = not taken and age >= LAG
            ctx.set(dut.index.valid, offered)
            ready = rng.random() < 0.7
            ctx.set(dut.answer.ready, ready)
            if offered and ctx.get(dut.index.ready):
                taken, age = True, 0
            assert age <= LOOKUP_CYCLES
            if ctx.get(dut.answer.valid):
                assert ctx.get(dut.answer.payload) in allowed
                if ready:
                    counts[ctx.get(dut.answer.payload) >> 4] += 1
                    index = None
            else:
                age += 1
                allowed.add(model.answer(index))
            if burst:
                model.write(word, symbols, first)
                word, burst, first = word + 1, burst - 1, False
            await ctx.tick()

    bench.run(dut, drive)
    assert min(counts.values()) > 20, counts


def test_contents_stay_when_the_pattern_stops(bench):
    rng = random.Random(3)
    dut = StateLog(2, FRAME_WORDS)
    model = Model(2 * FRAME_WORDS)

    async def drive(ctx):
        for number in range(3 * FRAME_WORDS):
            symbols = [rng.randrange(16) for _ in range(4)]
            model.write(FRAME_WORDS + number, symbols, number == 0)
            present(ctx, dut, True, number == 0, FRAME_WORDS + number, symbols)
            await ctx.tick()
        ctx.set(dut.sent.valid, 0)
        await ctx.tick().repeat(100)
        indices = list(range(3 * 4 * FRAME_WORDS, 5 * 4 * FRAME_WORDS))
        expected = [model.answer(index) for index in indices]
        for index, answer in zip(indices, expected, strict=True):
            ctx.set(dut.index.payload, index)
            ctx.set(dut.index.valid, 1)
            await ctx.tick().until(dut.index.ready)
            ctx.set(dut.index.valid, 0)
            ctx.set(dut.answer.ready, 1)
            (seen,) = await ctx.tick().sample(dut.answer.payload).until(dut.answer.valid)
            assert seen == answer
        assert {answer >> 4 for answer in expected} == {LookupStatus.FOUND, LookupStatus.TOO_NEW}

    bench.run(dut, drive)
