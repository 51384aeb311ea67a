"""False alarms come as often as the binomial says, at cut-offs low enough to count them."""

import math
import random

from scipy.stats import binom

from keybeam_gateware.randomness.proportion import AdaptiveProportion
from keybeam_gateware.randomness.repetition import RepetitionCount

CYCLES = 6000


def agree(found, expected, variance):
    return abs(found - expected) <= 4 * math.sqrt(variance)


def test_repetition_count(bench):
    cutoff = 8
    rng = random.Random(11)
    bits = [rng.getrandbits(1) for _ in range(4 * CYCLES + 1)]
    same = [
        sum((bits[4 * cycle + slot] == bits[4 * cycle + slot + 1]) << slot for slot in range(4))
        for cycle in range(CYCLES)
    ]
    dut = RepetitionCount()
    seen = bench.play(
        dut,
        CYCLES,
        [(dut.same, same), (dut.valid, [1] * CYCLES), (dut.cutoff, [cutoff] * CYCLES)],
        {"failed": dut.failed},
    )
    alarms = sum(1 for before, now in zip([0, *seen.failed], seen.failed) if now and not before)  # noqa: B905
    # A run begins with every second bit, and reaches the cut-off with 2^-(C-1). Two of them can
    # only seem one if the second begins in the cycle after the first.
    expected = 4 * CYCLES / 2 * 2 ** -(cutoff - 1)
    assert agree(alarms, expected, expected), (alarms, expected)


def test_adaptive_proportion(bench):
    window, cutoff = 64, 38
    rng = random.Random(12)
    cycles_of_window = window // 4
    samples = [rng.getrandbits(4) for _ in range(CYCLES)]
    first = [cycle % cycles_of_window == 0 for cycle in range(CYCLES)]
    dut = AdaptiveProportion(sample_bits=1, count_bits=7)
    seen = bench.play(
        dut,
        CYCLES,
        [
            (dut.samples, samples),
            (dut.first, first),
            (dut.valid, [1] * CYCLES),
            (dut.cutoff, [cutoff] * CYCLES),
        ],
        {"failed": dut.failed},
    )
    alarms = sum(1 for before, now in zip([0, *seen.failed], seen.failed) if now and not before)  # noqa: B905
    windows = CYCLES // cycles_of_window
    # The first sample counts itself; the other W - 1 equal it with one half each.
    probability = binom.sf(cutoff - 2, window - 1, 0.5)
    expected = windows * probability
    assert 20 < expected < 80
    assert agree(alarms, expected, expected * (1 - probability)), (alarms, expected)
