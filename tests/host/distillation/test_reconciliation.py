from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.distillation import _native
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation import (
    Counted,
    ErrorEstimate,
    FrameDecoder,
    Mode,
    choose_code,
    code_by_identifier,
    code_identifiers,
    decode,
    estimate_error_rate,
    frame_error_limit,
    instruction_sets,
    reconcile,
    reference_decoder,
)
from keybeam.distillation.reconciliation.decoder import Prior
from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix
from keybeam.protocol.numbers import PACKET_BITS


def entropy(rate):
    return -rate * np.log2(rate) - (1 - rate) * np.log2(1 - rate)


def frames(generator, errors):
    other = generator.integers(0, 2, PACKET_BITS, dtype=np.uint8)
    own = other.copy()
    own[generator.choice(PACKET_BITS, errors, replace=False)] ^= 1
    return own, other


def native(matrix, syndrome, odds, messages, *limits, kind=_native.InstructionSet.PORTABLE):
    """Decode in place, like the definition."""
    arrays = (matrix.row_starts, matrix.columns, matrix.shifts)
    sizes = (matrix.circulant, matrix.block_columns)
    return _native.decode_layered(*arrays, *sizes, syndrome, odds, messages, *limits, kind)


def priors(matrix, rate, generator):
    """Odds of bits at an error rate, of which some are certain."""
    odds = np.full(matrix.variables, rate / (1 - rate), np.float32)
    odds[generator.random(matrix.variables) < 0.02] = np.float32(2.0**-80)
    return odds


def silence(matrix):
    """Messages of checks that have said nothing yet."""
    return np.zeros(matrix.columns.size * matrix.circulant, np.float32)


def searched(search, matrix, syndrome, odds, told, limits):
    """Outcome and state of two searches, between which some bits are told."""
    odds, messages = odds.copy(), silence(matrix)
    first = search(matrix, syndrome, odds, messages, *limits)
    odds[told] = np.float32(2.0**80)
    return (*first, *search(matrix, syndrome, odds, messages, *limits), odds, messages)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


def small_matrix(generator, circulant=8, block_columns=24, block_rows=6, degree=3):
    """A random matrix, short cycles and all: the two decoders must agree on any."""
    rows = [[] for _ in range(block_rows)]
    for column in range(block_columns):
        for row in generator.choice(block_rows, degree, replace=False):
            rows[row].append((column, int(generator.integers(circulant))))
    pairs = np.array([pair for row in rows for pair in row], np.int32)
    return QuasiCyclicMatrix(
        circulant,
        block_columns,
        np.cumsum([0, *map(len, rows)]).astype(np.int32),
        np.ascontiguousarray(pairs[:, 0]),
        np.ascontiguousarray(pairs[:, 1]),
    )


@pytest.mark.parametrize("qber", [0.003, 0.01, 0.03, 0.08])
def test_frames_at_the_expected_error_rate_are_corrected(qber):
    generator = np.random.default_rng(11)
    code = choose_code(qber)
    for errors in generator.binomial(PACKET_BITS, qber, 3):
        own, other = frames(generator, errors)
        result = decode(code, own, code.syndrome(other))
        assert result.converged
        assert result.errors == errors
        assert np.array_equal(result.bits, other)


def test_a_frame_without_errors_takes_no_pass():
    own, other = frames(np.random.default_rng(1), 0)
    code = choose_code(ErrorEstimate(0.0, 1e-4))
    result = decode(code, own, code.syndrome(other))
    assert (result.converged, result.iterations, result.errors) == (True, 0, 0)


def test_too_many_errors_are_reported_and_leave_the_frame_alone():
    own, other = frames(np.random.default_rng(2), 3_000)
    code = choose_code(0.01)
    before = own.copy()
    result = decode(code, own, code.syndrome(other))
    assert not result.converged
    assert result.errors == 0
    assert np.array_equal(result.bits, before)
    assert np.array_equal(own, before)


def test_efficiency_at_one_per_cent():
    assert choose_code(0.01).syndrome_bits < 1.17 * PACKET_BITS * entropy(0.01)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    rate=st.floats(0.001, 0.2),
    limit=st.integers(0, 12),
    patience=st.integers(1, 6),
)
def test_the_kernels_give_the_bits_of_their_definition(seed, rate, limit, patience):
    generator = np.random.default_rng(seed)
    matrix = small_matrix(generator, circulant=int(generator.integers(1, 40)))
    pattern = (generator.random(matrix.variables) < rate).astype(np.uint8)
    arguments = (matrix, matrix.syndrome(pattern), priors(matrix, rate, generator), [0, 5])
    limits = (limit, patience)
    expected = searched(reference_decoder.decode_layered, *arguments, limits)
    for kind in instruction_sets():
        assert_same(searched(partial(native, kind=kind), *arguments, limits), expected)


@pytest.mark.parametrize("passes", [3, 60])
def test_the_kernels_give_the_bits_of_their_definition_on_a_whole_frame(passes):
    generator = np.random.default_rng(4)
    code = choose_code(0.02)
    pattern = (generator.random(PACKET_BITS) < 0.02).astype(np.uint8)
    odds = np.full(PACKET_BITS, 0.02 / 0.98, np.float32)
    arguments = (code.matrix, code.syndrome(pattern), odds, np.flatnonzero(pattern)[:2])
    expected = searched(reference_decoder.decode_layered, *arguments, (passes, 20))
    assert expected[1] == (passes == 60)
    for kind in instruction_sets():
        assert_same(searched(partial(native, kind=kind), *arguments, (passes, 20)), expected)


def test_decoding_ends_where_it_makes_no_progress():
    own, other = frames(np.random.default_rng(2), 3_000)
    code = choose_code(0.01)
    decoder = FrameDecoder(code, own, code.syndrome(other))
    assert decoder.decode(100, patience=4).iterations < 30


def test_a_kernel_for_every_machine_is_there():
    assert instruction_sets()[0] is _native.InstructionSet.PORTABLE


@pytest.mark.parametrize("estimate", [0.0085, 0.0115], ids=["too low", "too high"])
def test_bits_asked_for_make_up_for_a_wrong_estimate(estimate):
    own, other = frames(np.random.default_rng(12), 1_000)
    code = choose_code(estimate, Mode.INTERACTIVE)
    asked = []

    def tell(places):
        asked.append(places)
        return other[places]

    found = reconcile(Mode.INTERACTIVE, code, own, code.syndrome(other), tell)
    assert found.result.converged
    assert np.array_equal(found.result.bits, other)
    assert found.rounds == len(asked) <= 6
    assert estimate > 0.01 or found.rounds > 2
    told = np.concatenate(asked) if asked else np.zeros(0, np.uint32)
    assert np.unique(told).size == told.size
    assert found.leak_bits == code.syndrome_bits + told.size
    assert found.leak_bits >= PACKET_BITS * entropy(0.01)


def test_one_message_asks_for_nothing():
    own, other = frames(np.random.default_rng(13), 2_000)
    code = choose_code(0.01, Mode.EFFICIENT)
    found = reconcile(
        Mode.EFFICIENT, code, own, code.syndrome(other), lambda places: pytest.fail("asked")
    )
    assert not found.result.converged
    assert (found.rounds, found.leak_bits) == (0, code.syndrome_bits)


@pytest.mark.parametrize(("mode", "errors"), [(Mode.EFFICIENT, 1_250), (Mode.FAST, 1_350)])
def test_a_frame_that_one_message_does_not_correct_is_tried_with_more_disclosed(mode, errors):
    own, other = frames(np.random.default_rng(14), errors)
    code = choose_code(0.01, mode)
    asked = []

    def tell(places):
        asked.append(places)
        return other[places]

    syndrome = code.syndrome(other)
    assert not reconcile(mode, code, own, syndrome, tell).result.converged
    assert not asked
    found = reconcile(mode, code, own, syndrome, tell, retry=True)
    assert found.result.converged
    assert np.array_equal(found.result.bits, other)
    assert found.result.errors == errors
    told = np.concatenate(asked)
    assert 1 <= found.rounds == len(asked) <= 6
    assert np.unique(told).size == told.size
    assert told.max() < PACKET_BITS
    assert found.leak_bits == code.syndrome_bits + told.size
    assert found.leak_bits >= PACKET_BITS * entropy(errors / PACKET_BITS)


def test_what_no_disclosure_makes_up_for_is_given_up_with_all_that_was_told():
    own, other = frames(np.random.default_rng(15), 40_000)
    code = choose_code(0.01, Mode.FAST)
    asked = []

    def tell(places):
        asked.append(places.size)
        return other[places]

    found = reconcile(Mode.FAST, code, own, code.syndrome(other), tell, retry=True)
    assert not found.result.converged
    assert np.array_equal(found.result.bits, own)
    assert len(asked) == found.rounds == 6
    assert found.leak_bits == code.syndrome_bits + sum(asked)


def test_other_odds_are_those_of_their_seed_and_of_the_wanted_spread():
    assert (Prior(0.8).factors(10) == np.float32(0.8)).all()
    factors = Prior(1.2, 0.3, 7).factors(100_000)
    assert np.array_equal(factors, Prior(1.2, 0.3, 7).factors(100_000))
    assert not np.array_equal(factors, Prior(1.2, 0.3, 8).factors(100_000))
    logarithms = np.log(factors / np.float32(1.2))
    assert (logarithms.mean(), logarithms.std()) == pytest.approx((0, 0.3), abs=0.005)


def test_one_message_is_longer_than_the_first_of_several():
    modes = (Mode.EFFICIENT, Mode.INTERACTIVE)
    one, first = (choose_code(0.01, mode).syndrome_bits for mode in modes)
    assert PACKET_BITS * entropy(0.01) * 0.95 < first < one


def test_bits_told_wrongly_or_outside_are_refused():
    code = choose_code(0.01)
    decoder = FrameDecoder(
        code, np.zeros(PACKET_BITS, np.uint8), np.zeros(code.syndrome_bits, np.uint8)
    )
    with pytest.raises(DistillationError, match="told bits"):
        decoder.tell(np.array([1, 2], np.uint32), np.zeros(1, np.uint8))
    with pytest.raises(DistillationError, match="beyond"):
        decoder.tell(np.array([PACKET_BITS], np.uint32), np.zeros(1, np.uint8))


def test_syndrome_is_the_product_with_the_matrix():
    generator = np.random.default_rng(5)
    matrix = small_matrix(generator)
    dense = np.zeros((matrix.checks, matrix.variables), np.int64)
    for row in range(matrix.block_rows):
        for entry in range(matrix.row_starts[row], matrix.row_starts[row + 1]):
            for k in range(matrix.circulant):
                place = (k + matrix.shifts[entry]) % matrix.circulant
                variable = matrix.columns[entry] * matrix.circulant + place
                dense[row * matrix.circulant + k, variable] += 1
    bits = generator.integers(0, 2, matrix.variables, dtype=np.uint8)
    assert np.array_equal(matrix.syndrome(bits), dense @ bits % 2)


@given(st.integers(0, 2**32))
def test_the_kernel_of_syndromes_gives_the_bits_of_its_definition(seed):
    generator = np.random.default_rng(seed)
    matrix = small_matrix(generator, circulant=int(generator.integers(1, 40)))
    bits = generator.integers(0, 2, matrix.variables, dtype=np.uint8)
    arguments = (matrix.row_starts, matrix.columns, matrix.shifts, matrix.circulant)
    found = _native.find_syndrome(*arguments, matrix.block_columns, bits)
    assert np.array_equal(found, matrix.syndrome(bits))
    with pytest.raises(ValueError, match="bits"):
        _native.find_syndrome(*arguments, matrix.block_columns, bits[1:])


def test_every_code_is_well_formed():
    limits = []
    for identifier in code_identifiers():
        code = code_by_identifier(identifier)
        matrix = code.matrix
        assert code.identifier == code.syndrome_bits == identifier
        assert code.frame_bits == PACKET_BITS
        assert len(code.fingerprint) == 16
        # Every bit is checked at least twice, and no block column twice in a block row.
        assert np.bincount(matrix.columns, minlength=matrix.block_columns).min() >= 2
        for start, end in zip(matrix.row_starts[:-1], matrix.row_starts[1:], strict=True):
            assert len(set(matrix.columns[start:end])) == end - start
        limits.append(code.limit_qber)
    assert limits == sorted(limits)
    assert limits[0] < 0.003
    assert limits[-1] > 0.11


def test_no_two_columns_of_degree_two_make_a_word_of_weight_four():
    """They would, between the same rows, where twice the difference of their steps is a turn."""
    for identifier in code_identifiers():
        matrix = code_by_identifier(identifier).matrix
        rows = np.repeat(np.arange(matrix.block_rows), np.diff(matrix.row_starts))
        seen = set()
        for column in np.flatnonzero(np.bincount(matrix.columns) == 2):
            entries = np.flatnonzero(matrix.columns == column)
            step = np.subtract(*matrix.shifts[entries])
            word = (*rows[entries].tolist(), int(2 * step % matrix.circulant))
            assert word not in seen, identifier
            seen.add(word)


@pytest.mark.parametrize("factor", [5, 10])
def test_codes_of_longer_frames_cover_the_others(factor):
    """Check k of a long matrix, and its variables, lie over check k of the short one."""
    short = choose_code(0.02)
    long = code_by_identifier(factor * 1_000_000 + short.identifier)
    assert long.frame_bits == factor * PACKET_BITS
    assert long.syndrome_bits == factor * short.syndrome_bits
    assert short.limit_qber < long.limit_qber < 0.03
    for row in (0, short.matrix.block_rows - 1):
        above, below = (code.matrix.row_variables(row) for code in (long, short))
        sizes = long.matrix.circulant, short.matrix.circulant
        assert np.array_equal(above // sizes[0], np.tile(below // sizes[1], factor))
        assert np.array_equal(above % sizes[1], np.tile(below % sizes[1], factor))


def test_a_long_frame_is_corrected():
    generator = np.random.default_rng(14)
    bits = 5 * PACKET_BITS
    other = generator.integers(0, 2, bits, dtype=np.uint8)
    own = other ^ (generator.random(bits) < 0.01)
    code = choose_code(0.01, Mode.EFFICIENT, bits)
    assert code.syndrome_bits < 5 * choose_code(0.01).syndrome_bits
    assert np.array_equal(decode(code, own, code.syndrome(other)).bits, other)


@pytest.mark.parametrize("frame_bits", [0, 99_999, 150_000, 10**9])
def test_frames_of_other_lengths_have_no_code(frame_bits):
    with pytest.raises(DistillationError, match="codes for frames of 100000, 500000, 1000000"):
        choose_code(0.01, Mode.EFFICIENT, frame_bits)


@pytest.mark.parametrize("identifier", [7, -1, 1_009_280, 3_009_280, 10**9])
def test_unknown_identifiers_are_refused(identifier):
    with pytest.raises(DistillationError, match=f"no reconciliation code {identifier}"):
        code_by_identifier(identifier)


@pytest.mark.parametrize("qber", [0.003, 0.01, 0.1])
def test_no_code_has_a_cycle_of_length_four(qber):
    matrix = choose_code(qber).matrix
    rows = np.repeat(np.arange(matrix.block_rows), np.diff(matrix.row_starts))
    seen = set()
    for column in range(matrix.block_columns):
        entries = np.flatnonzero(matrix.columns == column)
        for first in entries:
            for second in entries:
                if rows[first] < rows[second]:
                    difference = (matrix.shifts[first] - matrix.shifts[second]) % matrix.circulant
                    pair = (rows[first], rows[second], difference)
                    assert pair not in seen
                    seen.add(pair)


@given(st.floats(0, 0.08), st.floats(0, 0.08), st.floats(0, 0.003), st.sampled_from(Mode))
def test_more_errors_never_ask_for_a_shorter_syndrome(one, other, deviation, mode):
    low, high = sorted((one, other))
    first = choose_code(ErrorEstimate(low, deviation), mode).syndrome_bits
    assert first <= choose_code(ErrorEstimate(high, deviation), mode).syndrome_bits
    if mode is not Mode.INTERACTIVE:
        assert choose_code(low, mode).syndrome_bits <= first


def test_limit_adds_the_fluctuations_of_frame_code_and_estimate():
    frame, code = 0.01 * 0.99 / 100_000, (0.019 * 0.01) ** 2
    limit = frame_error_limit(ErrorEstimate(0.01, 2e-4), 2.5)
    assert limit == pytest.approx(0.01 + 2.5 * (frame + code + 4e-8) ** 0.5)
    limit = frame_error_limit(ErrorEstimate(0.01, 2e-4), -2, doubt=0.5)
    assert limit == pytest.approx(0.01 - 2 * (frame + code + 1e-8) ** 0.5)


def test_one_count_is_its_own_estimate():
    rate, deviation = estimate_error_rate([Counted(100, 10_000, 0)])
    assert rate == pytest.approx(0.01)
    assert deviation == pytest.approx((0.0101 * 0.9899 / 10_000) ** 0.5)


def test_counts_are_pooled_by_what_they_can_tell():
    fresh, exact, old = Counted(100, 10_000, 0), Counted(1_200, 100_000, 2), Counted(0, 10, 50)
    both = estimate_error_rate([fresh, exact], drift=0.1)
    # Variances 1e-6 and 1.2e-7 + 2 (0.1 q)^2, q = 1.18 % pooled.
    q = 1301 / 110_000
    weights = np.array([1 / (q * (1 - q) / 1e4), 1 / (q * (1 - q) / 1e5 + 2 * (0.1 * q) ** 2)])
    assert both.rate == pytest.approx(np.dot(weights, [0.01, 0.012]) / weights.sum())
    assert both.deviation == pytest.approx(weights.sum() ** -0.5)
    assert estimate_error_rate([fresh, exact, old], drift=0.1).rate == pytest.approx(
        both.rate, rel=0.02
    )


@pytest.mark.parametrize(
    "counts", [[], [Counted(0, 0, 0)], [Counted(2, 1, 0)], [Counted(0, 9, -1)]]
)
def test_impossible_counts_are_refused(counts):
    with pytest.raises(DistillationError, match=r"no bits|cannot be"):
        estimate_error_rate(counts)


@pytest.mark.parametrize("qber", [-0.01, 0.51, float("nan"), 0.2])
def test_impossible_and_hopeless_rates_are_refused(qber):
    with pytest.raises(DistillationError, match="error rate"):
        choose_code(qber)


def test_wrong_arguments_are_refused():
    code = choose_code(0.01)
    frame = np.zeros(PACKET_BITS, np.uint8)
    syndrome = np.zeros(code.syndrome_bits, np.uint8)
    with pytest.raises(DistillationError, match="frame must have"):
        decode(code, frame[1:], syndrome)
    with pytest.raises(DistillationError, match="syndrome must have"):
        decode(code, frame, syndrome[1:])
    with pytest.raises(DistillationError, match="deviation"):
        choose_code(ErrorEstimate(0.01, -1.0))


def test_the_kernel_refuses_what_would_leave_its_arrays():
    matrix = small_matrix(np.random.default_rng(6))
    syndrome = np.zeros(matrix.checks, np.uint8)
    odds = priors(matrix, 0.01, np.random.default_rng(7))
    good = [matrix.row_starts, matrix.columns, matrix.shifts, matrix.circulant,
            matrix.block_columns, syndrome, odds, silence(matrix), 5, 5,
            _native.InstructionSet.PORTABLE]  # fmt: skip
    for place, wrong in (
        (0, matrix.row_starts[:-1].copy()),
        (0, matrix.row_starts[::-1].copy()),
        (1, matrix.columns + np.int32(1)),
        (2, matrix.shifts - np.int32(1)),
        (3, 0),
        (5, syndrome[:-1].copy()),
        (6, np.ones(3, np.float32)),
        (7, np.ones(3, np.float32)),
    ):
        arguments = good.copy()
        arguments[place] = wrong
        with pytest.raises(ValueError, match=r"matrix|row starts|range|syndrome|odds|messages"):
            _native.decode_layered(*arguments)
    # A copy would lose what is written in place.
    with pytest.raises(TypeError):
        _native.decode_layered(*good[:6], odds.astype(np.float64), *good[7:])
