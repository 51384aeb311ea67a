import random
from dataclasses import asdict

import health_model
import pytest

from keybeam.randomness import CHIP_CUTOFFS
from keybeam_gateware.randomness.health import HEALTH_LATENCY, HealthTests

WINDOW_WORDS = 32
# Low enough that good bits raise most of the alarms now and then.
LOW = {
    "repetition_bits": 11,
    "repetition_symbols": 5,
    "repetition_groups": 5,
    "repetition_words": 5,
    "proportion_bits": 80,
    "proportion_symbols": 13,
}
# Those of the board, but for the shorter windows.
HIGH = asdict(CHIP_CUTOFFS) | {"proportion_bits": 95, "proportion_symbols": 40}


def good(rng, count):
    return [rng.getrandbits(16) for _ in range(count)]


def with_lane(words, lane, of_word):
    mask = 15 << 4 * lane
    return [word & ~mask | of_word(word) << 4 * lane for word in words]


def with_a_fault_from(place, fault):
    def data(rng, count):
        words = good(rng, count)
        return words[:place] + fault(rng, words[place:])

    return data


DATA = {
    "good": good,
    "lane 2 stuck": with_a_fault_from(131, lambda rng, w: with_lane(w, 2, lambda _: 15)),
    "lane 1 biased": with_a_fault_from(
        99, lambda rng, w: with_lane(w, 1, lambda _: rng.getrandbits(4) | rng.getrandbits(4))
    ),
    "lane 3 equal to lane 0": with_a_fault_from(
        77, lambda rng, w: with_lane(w, 3, lambda word: word & 15)
    ),
    "lane 2 opposite to lane 1": with_a_fault_from(
        50, lambda rng, w: with_lane(w, 2, lambda word: ~word >> 4 & 15)
    ),
    "one word again and again": with_a_fault_from(60, lambda rng, w: [0x5A3C] * len(w)),
    "three words again and again": with_a_fault_from(
        60, lambda rng, w: (good(rng, 3) * len(w))[: len(w)]
    ),
    "lane 0 toggles": with_a_fault_from(70, lambda rng, w: with_lane(w, 0, lambda _: 0b0101)),
    "everything zero": lambda rng, count: [0] * count,
}
# What has to find each fault with the cut-offs of the board.
FOUND_BY = {
    "lane 2 stuck": ("repetition_lanes", 2),
    "lane 1 biased": ("proportion_lanes", 1),
    "lane 3 equal to lane 0": ("repetition_pairs", 2),
    "lane 2 opposite to lane 1": ("repetition_pairs", 3),
    "one word again and again": ("repetition_words", 0),
    "three words again and again": ("repetition_words", 0),
    "lane 0 toggles": ("repetition_groups", 0),
    "everything zero": ("proportion_symbols", 0),
}


def run(bench, words, cutoffs, gaps):
    """Word in which each alarm is first raised; checks the words that come out."""
    dut = HealthTests(window_words=WINDOW_WORDS)
    found, tested, ended = {}, [], []

    async def testbench(ctx):
        for name, value in cutoffs.items():
            ctx.set(dut.cutoffs[name], value)
        await ctx.tick()
        waiting = list(reversed(words))
        for _ in range(HEALTH_LATENCY + 1 + len(words) * 3):
            valid = bool(waiting) and not gaps()
            ctx.set(dut.valid, valid)
            ctx.set(dut.word.bits, waiting.pop() if valid else 0)
            alarms, valid, word, end = (
                ctx.get(port)
                for port in (dut.alarms, dut.tested_valid, dut.tested.bits, dut.window_ended)
            )
            if valid:
                tested.append(word)
            if end:
                ended.append(len(tested))
            for name, _ in alarms.shape():
                for bit in range(16):
                    if alarms[name] >> bit & 1:
                        assert valid, "an alarm comes with a word"
                        found.setdefault((name, bit), len(tested) - 1)
            if not waiting and len(tested) == len(words):
                break
            await ctx.tick()

    bench.run(dut, testbench)
    assert tested == words
    assert ended == list(range(WINDOW_WORDS, len(words) + 1, WINDOW_WORDS))
    return found


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("cutoffs", [LOW, HIGH], ids=["low", "high"])
def test_alarms_are_those_of_the_standard(bench, data, cutoffs):
    rng = random.Random(f"{data} 3")
    words = DATA[data](rng, 400)
    share = rng.choice([0.0, 0.2])
    found = run(bench, words, cutoffs, lambda: rng.random() < share)
    assert found == health_model.first_alarms(words, cutoffs, WINDOW_WORDS)
    if cutoffs is HIGH and data in FOUND_BY:
        assert FOUND_BY[data] in found
    if cutoffs is HIGH and data == "good":
        assert not found
    if cutoffs is LOW and data == "good":
        assert len(found) >= 8, "good bits shall raise some of the low alarms"


@pytest.mark.parametrize("length", [20, 21])
@pytest.mark.parametrize("offset", range(4))
def test_a_run_is_counted_across_windows_and_cycles(bench, offset, length):
    """A run of one less than the cut-off, and of the cut-off, over the end of a window."""
    rng = random.Random(f"{offset} {length}")
    begin = WINDOW_WORDS * 4 - 10 + offset
    # Lane 1 alternates but for the run, of which the first bit is the last that alternates.
    slots = range(begin + length + 20)
    lane = [begin & 1 if begin <= at < begin + length else at & 1 for at in slots]
    after = begin + length
    lane[after:] = [1 - (begin & 1) ^ (at - after) & 1 for at in slots[after:]]
    words = []
    for place in range(0, len(lane) - 3, 4):
        group = sum(bit << slot for slot, bit in enumerate(lane[place : place + 4]))
        words.append(rng.getrandbits(16) & ~0xF0 | group << 4)
    found = run(bench, words, HIGH | {"repetition_bits": 21}, lambda: False)
    expected = None if length == 20 else (begin + length - 1) // 4
    assert found.get(("repetition_lanes", 1)) == expected
