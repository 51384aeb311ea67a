import random

import pytest
from log_model import LogModel, interesting_index

from keybeam.protocol.link import LookupStatus
from keybeam_gateware.transmitter.log import LOOKUP_CYCLES, LogBackend, StateLog

FRAME_WORDS = 32
LAG = 5
BLOCK_RAM_STATUSES = set(LookupStatus) - {LookupStatus.LOST}


def present(ctx, dut, valid, first, word, symbols, not_key=False):
    """Put a cycle of the pattern on `dut.sent`."""
    slots = {f"slot_{slot}": symbol for slot, symbol in enumerate(symbols)}
    sent = {"valid": valid, "first": first, "not_key": not_key, "word": word, "symbols": slots}
    ctx.set(dut.sent, sent)


@pytest.mark.parametrize(
    ("frames", "start"), [(1, 0), (2, 5), (2, (1 << 26) - 2), (4, (1 << 48) - 9)]
)
def test_every_answer_was_true_while_it_was_looked_up(bench, frames, start):
    rng = random.Random(f"{frames} {start}")
    dut = StateLog(frames, FRAME_WORDS)
    words = frames * FRAME_WORDS
    model = LogModel(words, FRAME_WORDS)
    counts = dict.fromkeys(BLOCK_RAM_STATUSES, 0)
    limit = LOOKUP_CYCLES[LogBackend.BLOCK_RAM]

    async def drive(ctx):
        word, burst, first, not_key = 0, 0, False, False
        index, allowed, age, taken = None, set(), 0, False
        for cycle in range(4000):
            # The pattern starts now and then, also with indices that were used before, and stops.
            if burst == 0 and cycle > 100 and rng.random() < 0.05:
                burst = rng.randint(limit, 4 * words)
                word = (start + rng.randrange(2)) * FRAME_WORDS
                first = True
            if first or word % FRAME_WORDS == 0:
                not_key = rng.random() < 0.4
            symbols = [rng.randrange(16) for _ in range(4)]
            present(ctx, dut, burst > 0, first, word, symbols, not_key)

            if index is None:
                index, allowed, age, taken = interesting_index(rng, model, words), set(), 0, False
                ctx.set(dut.index.payload, index)
            # A look-up may not know yet what was sent in the last cycles.
            offered = not taken and age >= LAG
            ctx.set(dut.index.valid, offered)
            ready = rng.random() < 0.7
            ctx.set(dut.answer.ready, ready)
            if offered and ctx.get(dut.index.ready):
                taken, age = True, 0
            assert age <= limit
            if ctx.get(dut.answer.valid):
                assert ctx.get(dut.answer.payload) in allowed
                if ready:
                    counts[ctx.get(dut.answer.payload) >> 4] += 1
                    index = None
            else:
                age += 1
                allowed.add(model.answer(index))
            if burst:
                model.write(word, symbols, first=first, not_key=not_key)
                word, burst, first = word + 1, burst - 1, False
            await ctx.tick()

    bench.run(dut, drive)
    assert min(counts.values()) > 15, counts


def test_contents_stay_when_the_pattern_stops(bench):
    rng = random.Random(3)
    dut = StateLog(2, FRAME_WORDS)
    model = LogModel(2 * FRAME_WORDS, FRAME_WORDS)

    async def drive(ctx):
        for number in range(3 * FRAME_WORDS):
            symbols = [rng.randrange(16) for _ in range(4)]
            first, not_key = number == 0, number // FRAME_WORDS == 1
            model.write(FRAME_WORDS + number, symbols, first=first, not_key=not_key)
            present(ctx, dut, True, first, FRAME_WORDS + number, symbols, not_key)
            await ctx.tick()
        ctx.set(dut.sent.valid, 0)
        await ctx.tick().repeat(100)
        indices = list(range(2 * 4 * FRAME_WORDS, 5 * 4 * FRAME_WORDS))
        expected = [model.answer(index) for index in indices]
        for index, answer in zip(indices, expected, strict=True):
            ctx.set(dut.index.payload, index)
            ctx.set(dut.index.valid, 1)
            await ctx.tick().until(dut.index.ready)
            ctx.set(dut.index.valid, 0)
            ctx.set(dut.answer.ready, 1)
            (seen,) = await ctx.tick().sample(dut.answer.payload).until(dut.answer.valid)
            assert seen == answer
        assert {answer >> 4 for answer in expected} == BLOCK_RAM_STATUSES

    bench.run(dut, drive)
