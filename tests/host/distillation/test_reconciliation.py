import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.distillation import _native
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation import (
    choose_code,
    code_by_identifier,
    code_identifiers,
    decode,
    frame_error_limit,
    reference_decoder,
)
from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix
from keybeam.protocol.numbers import PACKET_BITS


def entropy(rate):
    return -rate * np.log2(rate) - (1 - rate) * np.log2(1 - rate)


def frames(generator, errors):
    other = generator.integers(0, 2, PACKET_BITS, dtype=np.uint8)
    own = other.copy()
    own[generator.choice(PACKET_BITS, errors, replace=False)] ^= 1
    return own, other


def native(matrix, syndrome, odds, limit):
    return _native.decode_layered(
        matrix.row_starts,
        matrix.columns,
        matrix.shifts,
        matrix.circulant,
        matrix.block_columns,
        syndrome,
        odds,
        limit,
    )


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
        result = decode(code, own, code.syndrome(other), qber)
        assert result.converged
        assert result.errors == errors
        assert np.array_equal(result.bits, other)


def test_a_frame_without_errors_takes_no_pass():
    own, other = frames(np.random.default_rng(1), 0)
    code = choose_code(0.0, sampled_bits=10_000)
    result = decode(code, own, code.syndrome(other), 0.0)
    assert (result.converged, result.iterations, result.errors) == (True, 0, 0)


def test_too_many_errors_are_reported_and_leave_the_frame_alone():
    own, other = frames(np.random.default_rng(2), 3_000)
    code = choose_code(0.01)
    before = own.copy()
    result = decode(code, own, code.syndrome(other), 0.01)
    assert not result.converged
    assert result.errors == 0
    assert np.array_equal(result.bits, before)
    assert np.array_equal(own, before)


def test_efficiency_at_one_per_cent():
    assert choose_code(0.01).syndrome_bits < 1.22 * PACKET_BITS * entropy(0.01)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), rate=st.floats(0.001, 0.2), limit=st.integers(0, 12))
def test_the_kernel_gives_the_bits_of_its_definition(seed, rate, limit):
    generator = np.random.default_rng(seed)
    matrix = small_matrix(generator)
    pattern = (generator.random(matrix.variables) < rate).astype(np.uint8)
    arguments = (matrix, matrix.syndrome(pattern), rate / (1 - rate), limit)
    expected = reference_decoder.decode_layered(*arguments)
    found = native(*arguments)
    assert np.array_equal(found[0], expected[0])
    assert found[1:] == expected[1:]


@pytest.mark.parametrize("passes", [3, 30])
def test_the_kernel_gives_the_bits_of_its_definition_on_a_whole_frame(passes):
    generator = np.random.default_rng(4)
    code = choose_code(0.02)
    pattern = (generator.random(PACKET_BITS) < 0.02).astype(np.uint8)
    arguments = (code.matrix, code.syndrome(pattern), 0.02 / 0.98, passes)
    expected = reference_decoder.decode_layered(*arguments)
    found = native(*arguments)
    assert np.array_equal(found[0], expected[0])
    assert found[1:] == expected[1:]
    assert found[1] == (passes == 30)


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


def test_every_code_is_well_formed():
    identifiers = code_identifiers()
    limits = []
    for identifier in identifiers:
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


@given(st.floats(0, 0.08), st.floats(0, 0.08), st.integers(1_000, 10**6))
def test_more_errors_or_a_smaller_sample_never_ask_for_a_shorter_syndrome(one, other, sample):
    low, high = sorted((one, other))
    assert choose_code(low).syndrome_bits <= choose_code(high).syndrome_bits
    assert choose_code(low).syndrome_bits <= choose_code(low, sample).syndrome_bits


def test_limit_adds_the_fluctuations_of_frame_code_and_sample():
    frame, code, sample = 0.01 * 0.99 / 100_000, (0.012 * 0.01) ** 2, 0.0101 * 0.9899 / 10_000
    assert frame_error_limit(0.01) == pytest.approx(0.01 + 2.6 * (frame + code) ** 0.5)
    with_sample = 0.01 + 2.6 * (frame + code + sample) ** 0.5
    assert frame_error_limit(0.01, 10_000) == pytest.approx(with_sample)


@pytest.mark.parametrize("qber", [-0.01, 0.51, float("nan"), 0.2])
def test_impossible_and_hopeless_rates_are_refused(qber):
    with pytest.raises(DistillationError, match="error rate"):
        choose_code(qber)


def test_wrong_arguments_are_refused():
    code = choose_code(0.01)
    frame = np.zeros(PACKET_BITS, np.uint8)
    syndrome = np.zeros(code.syndrome_bits, np.uint8)
    with pytest.raises(DistillationError, match="code 7"):
        code_by_identifier(7)
    with pytest.raises(DistillationError, match="frame must have"):
        decode(code, frame[1:], syndrome, 0.01)
    with pytest.raises(DistillationError, match="syndrome must have"):
        decode(code, frame, syndrome[1:], 0.01)
    with pytest.raises(DistillationError, match="error rate"):
        decode(code, frame, syndrome, 0.6)
    with pytest.raises(DistillationError, match="sampled"):
        choose_code(0.01, 0)


def test_the_kernel_refuses_what_would_leave_its_arrays():
    matrix = small_matrix(np.random.default_rng(6))
    syndrome = np.zeros(matrix.checks, np.uint8)
    good = [matrix.row_starts, matrix.columns, matrix.shifts, matrix.circulant,
            matrix.block_columns, syndrome, 0.01, 5]  # fmt: skip
    for place, wrong in (
        (0, matrix.row_starts[:-1].copy()),
        (0, matrix.row_starts[::-1].copy()),
        (1, matrix.columns + np.int32(1)),
        (2, matrix.shifts - np.int32(1)),
        (3, 0),
        (5, syndrome[:-1].copy()),
    ):
        arguments = good.copy()
        arguments[place] = wrong
        with pytest.raises(ValueError, match=r"matrix|row starts|range|syndrome"):
            _native.decode_layered(*arguments)
