import itertools
import random

from amaranth.sim import Simulator

from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam_gateware.random_input import RandomInput

CYCLES = 400


def run(readiness):
    """Samples sent and words taken, with ready set as asked."""
    design = RandomInput()
    source = random.Random(5)
    samples = [source.randrange(1 << len(design.lanes)) for _ in range(CYCLES)]
    taken, offered = [], []

    async def bench(ctx):
        for cycle, sample in enumerate(samples):
            ctx.set(design.lanes, sample)
            ctx.set(design.random.ready, readiness(cycle, source))
            valid, payload = ctx.get(design.random.valid), ctx.get(design.random.payload)
            offered.append(payload if valid else None)
            if valid and ctx.get(design.random.ready):
                taken.append(payload)
            await ctx.tick()

    simulator = Simulator(design)
    simulator.add_clock(1e-12 * FABRIC_PERIOD_PS)
    simulator.add_testbench(bench)
    simulator.run()
    width = len(design.lanes)
    words = [
        sum(sample << width * place for place, sample in enumerate(samples[start : start + 4]))
        for start in range(0, CYCLES, 4)
    ]
    return words, taken, offered


def test_every_sample_arrives_once_and_in_order():
    words, taken, _ = run(lambda cycle, source: 1)
    assert len(taken) >= len(words) - 2
    assert taken == words[: len(taken)]


def test_words_hold_until_ready_and_none_repeats():
    words, taken, offered = run(lambda cycle, source: source.random() < 0.15)
    assert 10 < len(taken) < len(words) - 10, "some words have to be lost here"
    places = [words.index(word) for word in taken]
    assert places == sorted(set(places))
    # A word that is offered stays until it is taken.
    changes = [(a, b) for a, b in itertools.pairwise(offered) if a != b]
    assert all(a is None or b is None or a in taken for a, b in changes)
