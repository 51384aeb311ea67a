import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.distillation import (
    DistillationError,
    Mode,
    binary_entropy,
    choose_code,
    reconcile,
)
from keybeam.distillation.reconciliation import (
    CascadePlan,
    CascadeSender,
    reconcile_by_cascade,
)
from keybeam.protocol.numbers import PACKET_BITS


def correct(plan, own, other):
    sender = CascadeSender(plan, other)
    asked = []

    def ask(blocks):
        asked.append(blocks)
        return sender.parities(blocks)

    found = reconcile_by_cascade(plan, own, ask)
    # Every parity is a bit that was disclosed, and every message a round.
    assert found.leak_bits == sender.told == sum(len(blocks) for blocks in asked)
    assert found.rounds == len(asked)
    return found, asked


def frame(size, errors, generator):
    other = generator.integers(0, 2, size, dtype=np.uint8)
    own = other.copy()
    own[generator.choice(size, errors, replace=False)] ^= 1
    return own, other


@pytest.mark.parametrize("qber", [0.01, 0.03])
def test_the_same_frames_give_the_same_key_as_the_codes(qber):
    generator = np.random.default_rng(int(1000 * qber))
    own, other = frame(PACKET_BITS, round(qber * PACKET_BITS), generator)
    code = choose_code(qber, Mode.INTERACTIVE)
    by_code = reconcile(
        Mode.INTERACTIVE, code, own, code.syndrome(other), lambda places: other[places]
    )
    by_parities, _ = correct(CascadePlan(PACKET_BITS, qber, 1), own, other)
    assert np.array_equal(by_code.result.bits, by_parities.result.bits)
    assert by_code.result.errors == by_parities.result.errors == round(qber * PACKET_BITS)
    efficiency = by_parities.leak_bits / PACKET_BITS / binary_entropy(qber)
    assert 1.0 < efficiency < 1.08


@settings(max_examples=60, deadline=None)
@given(size=st.integers(2, 3000), rate=st.floats(0, 0.15), seed=st.integers(0, 1000))
def test_the_result_has_every_parity_that_was_told(size, rate, seed):
    generator = np.random.default_rng(seed)
    own, other = frame(size, generator.binomial(size, rate), generator)
    plan = CascadePlan(size, rate, seed)
    found, asked = correct(plan, own, other)
    again = CascadeSender(plan, found.result.bits)
    for blocks in asked:
        assert np.array_equal(again.parities(blocks), CascadeSender(plan, other).parities(blocks))
    assert found.result.errors == np.count_nonzero(found.result.bits != own)
    # Only an even number of errors can have been missed.
    assert np.count_nonzero(found.result.bits != other) % 2 == 0


def test_errors_in_a_burst_are_found():
    generator = np.random.default_rng(4)
    other = generator.integers(0, 2, 20_000, dtype=np.uint8)
    own = other.copy()
    own[5_000:5_300] ^= 1
    found, _ = correct(CascadePlan(20_000, 0.015, 2), own, other)
    assert np.array_equal(found.result.bits, other)


def test_no_parity_is_asked_for_that_follows_from_others():
    """The parities that were asked for are linearly independent: rank over GF(2)."""
    generator = np.random.default_rng(5)
    own, other = frame(400, 12, generator)
    plan = CascadePlan(400, 0.03, 3)
    found, asked = correct(plan, own, other)
    assert np.array_equal(found.result.bits, other)
    rows = []
    for number, begin, end in np.concatenate(asked).tolist():
        row = np.zeros(400, np.uint8)
        row[plan.order(number)[begin:end]] = 1
        rows.append(int.from_bytes(np.packbits(row).tobytes(), "big"))
    # Within a pass nothing can follow from the rest; passes may share little.
    rank, pivots = 0, {}
    for row in rows:
        while row and (top := row.bit_length()) in pivots:
            row ^= pivots[top]
        if row:
            pivots[row.bit_length()] = row
            rank += 1
    assert rank >= 0.97 * len(rows)


def test_equal_frames_take_the_first_parities_of_each_pass_only():
    other = np.random.default_rng(6).integers(0, 2, 10_000, dtype=np.uint8)
    plan = CascadePlan(10_000, 0.01, 1)
    found, asked = correct(plan, other, other)
    assert found.result.errors == 0
    sizes = plan.block_sizes()
    blocks = [math.ceil(10_000 / size) for size in sizes]
    assert found.leak_bits == sum(blocks) - (len(sizes) - 1)
    assert len(asked) == len(sizes)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((1, 0.01, 1), "2 bits or more"),
        ((100, -0.01, 1), "error rate"),
        ((100, 0.51, 1), "error rate"),
        ((100, math.nan, 1), "error rate"),
        ((100, 0.01, -1), "seed"),
    ],
)
def test_impossible_plans_are_named(arguments, named):
    with pytest.raises(DistillationError, match=named):
        CascadePlan(*arguments)


def test_wrong_frames_blocks_and_answers_are_named():
    plan = CascadePlan(100, 0.05, 1)
    bits = np.zeros(100, np.uint8)
    with pytest.raises(DistillationError, match="the frame must have 100 bits, not 99"):
        CascadeSender(plan, bits[:99])
    with pytest.raises(DistillationError, match="the frame must have 100 bits, not 99"):
        reconcile_by_cascade(plan, bits[:99], CascadeSender(plan, bits).parities)
    with pytest.raises(DistillationError, match="the told parities must have"):
        reconcile_by_cascade(plan, bits, lambda blocks: bits[: len(blocks) - 1])
    sender = CascadeSender(plan, bits)
    for block in ([0, 5, 5], [0, -1, 5], [0, 0, 101], [14, 0, 5], [-1, 0, 5]):
        with pytest.raises(DistillationError, match="blocks are asked for that there are not"):
            sender.parities(np.array([block]))
    assert sender.told == 0
