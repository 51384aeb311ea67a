import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.distillation import _native
from keybeam.distillation.design.fast import make_matrix, row_counts
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation import (
    Mode,
    choose_code,
    fast_code_by_identifier,
    fast_code_identifiers,
    fast_instruction_sets,
    reconcile,
)
from keybeam.distillation.reconciliation.code import matrix_fingerprint
from keybeam.distillation.reconciliation.fast_reference import decode_fast, fast_tables
from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix
from keybeam.key_length import binary_entropy
from keybeam.protocol.numbers import PACKET_BITS


def frames(generator, errors):
    other = generator.integers(0, 2, PACKET_BITS, dtype=np.uint8)
    own = other.copy()
    own[generator.choice(PACKET_BITS, errors, replace=False)] ^= 1
    return own, other


def nothing_asked(places):
    pytest.fail("asked for bits")


def small_matrix(generator, circulant):
    """A random matrix, short cycles and all: kernel and definition must agree on any."""
    columns, rows, degree = 12, 4, 3
    entries = sorted(
        (int(row), column, int(generator.integers(circulant)))
        for column in range(columns)
        for row in generator.choice(rows, degree, replace=False)
    )
    row_of, column_of, shift_of = np.array(entries, np.int32).T
    starts = np.searchsorted(row_of, np.arange(rows + 1)).astype(np.int32)
    return QuasiCyclicMatrix(circulant, columns, starts, column_of.copy(), shift_of.copy())


def native_decoder(matrix, tables, frame_bits):
    return _native.FastDecoder(
        matrix.row_starts, matrix.columns, matrix.shifts, matrix.circulant, matrix.block_columns,
        tables.doubt, tables.message, tables.channel, frame_bits,
    )  # fmt: skip


def assert_kernels_agree(matrix, tables, own, syndrome, limit):
    frame, *expected = decode_fast(matrix, tables, own, syndrome, limit)
    decoder = native_decoder(matrix, tables, own.size)
    for kind in fast_instruction_sets():
        found, *outcome = decoder.decode(own, syndrome, limit, kind)
        assert np.array_equal(found, frame)
        assert outcome == expected
    return expected


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rate=st.floats(0.001, 0.3),
    limit=st.integers(0, 6),
    lanes=st.sampled_from([2, 3, 4]),
)
def test_the_kernels_give_the_bits_of_their_definition(seed, rate, limit, lanes):
    generator = np.random.default_rng(seed)
    matrix = small_matrix(generator, 64 * lanes)
    frame_bits = int(generator.integers(1, matrix.variables + 1))
    own = generator.integers(0, 2, frame_bits, dtype=np.uint8)
    # Any syndrome, even one that no frame near the own one has, so that all values occur.
    syndrome = generator.integers(0, 2, matrix.checks, dtype=np.uint8)
    if generator.random() < 0.7:
        other = np.zeros(matrix.variables, np.uint8)
        other[:frame_bits] = own ^ (generator.random(frame_bits) < rate)
        syndrome = matrix.syndrome(other)
    assert_kernels_agree(matrix, fast_tables(rate), own, syndrome, limit)


@pytest.mark.parametrize("passes", [3, 30])
def test_the_kernels_give_the_bits_of_their_definition_on_a_whole_frame(passes):
    code = choose_code(0.01, Mode.FAST)
    own, other = frames(np.random.default_rng(4), 1_000)
    tables = fast_tables(code.limit_qber)
    outcome = assert_kernels_agree(code.matrix, tables, own, code.syndrome(other), passes)
    assert outcome[0] == (passes == 30)


def test_a_kernel_for_every_machine_is_there():
    assert fast_instruction_sets()[0] is _native.InstructionSet.PORTABLE


@pytest.mark.parametrize("qber", [0.003, 0.01, 0.03, 0.08, 0.11])
def test_frames_at_the_expected_error_rate_are_corrected(qber):
    generator = np.random.default_rng(21)
    code = choose_code(qber, Mode.FAST)
    for errors in generator.binomial(PACKET_BITS, qber, 10):
        own, other = frames(generator, errors)
        found = reconcile(Mode.FAST, code, own, code.syndrome(other), nothing_asked)
        assert found.result.converged
        assert found.result.errors == errors
        assert np.array_equal(found.result.bits, other)
        assert (found.rounds, found.leak_bits) == (0, code.syndrome_bits)


def test_a_frame_without_errors_takes_no_pass():
    own, other = frames(np.random.default_rng(1), 0)
    code = choose_code(0.001, Mode.FAST)
    result = code.decode(own, code.syndrome(other), 30)
    assert (result.converged, result.iterations, result.errors) == (True, 0, 0)


def test_too_many_errors_are_reported_and_leave_the_frame_alone():
    own, other = frames(np.random.default_rng(2), 2_000)
    code = choose_code(0.01, Mode.FAST)
    before = own.copy()
    found = reconcile(Mode.FAST, code, own, code.syndrome(other), nothing_asked)
    assert not found.result.converged
    assert found.result.errors == 0
    assert np.array_equal(found.result.bits, before)
    assert np.array_equal(own, before)
    assert found.leak_bits == code.syndrome_bits


def test_efficiency_at_one_per_cent():
    code = choose_code(0.01, Mode.FAST)
    assert code.syndrome_bits <= 1.30 * PACKET_BITS * binary_entropy(0.01)


@pytest.mark.parametrize("qber", [0.003, 0.01, 0.05, 0.11])
def test_sums_of_doubts_stand_for_the_message_of_a_check(qber):
    tables = fast_tables(qber)
    generator = np.random.default_rng(3)
    step = np.log((1 - qber) / qber) / tables.channel
    for _ in range(50):
        sizes = generator.integers(1, 50, 6)
        exact = 2 * np.arctanh(np.prod(np.tanh(sizes * step / 2))) / step
        total = min(int(tables.doubt[sizes].sum()), 127)
        # Two steps, or a tenth below the bound of messages: rounding, and the correction.
        assert abs(tables.message[total] - min(exact, tables.message[0])) <= 2 + 0.1 * exact


def test_nothing_known_of_a_bit_says_nothing_of_the_others():
    tables = fast_tables(0.01)
    assert tables.doubt[0] == 127
    assert tables.message[127] == 0
    assert np.all(np.diff(tables.doubt.astype(int)) <= 0)
    assert np.all(np.diff(tables.message.astype(int)) <= 0)


def test_every_code_is_well_formed():
    identifiers = fast_code_identifiers()
    assert len(identifiers) == len(row_counts())
    limits = []
    for identifier in identifiers:
        code = fast_code_by_identifier(identifier)
        matrix = code.matrix
        assert code.identifier == identifier == 1_000_000 + code.syndrome_bits
        assert code.frame_bits == PACKET_BITS <= matrix.variables
        degrees = np.bincount(matrix.columns, minlength=matrix.block_columns)
        assert 3 <= degrees.min() <= degrees.max() <= 10
        for start, end in zip(matrix.row_starts[:-1], matrix.row_starts[1:], strict=True):
            assert len(set(matrix.columns[start:end])) == end - start
        limits.append(code.limit_qber)
    assert limits == sorted(limits)
    assert limits[0] < 0.0035
    assert limits[-1] > 0.11


def test_the_script_makes_the_same_code_again_without_cycles_of_length_four():
    code = choose_code(0.01, Mode.FAST)
    rows = code.matrix.block_rows
    matrix = make_matrix(rows, np.random.default_rng([1, rows]))
    assert matrix_fingerprint(matrix) == code.fingerprint
    row_of = np.repeat(np.arange(rows), np.diff(matrix.row_starts))
    seen = set()
    for column in range(matrix.block_columns):
        entries = np.flatnonzero(matrix.columns == column)
        for first in entries:
            for second in entries[entries > first]:
                difference = (matrix.shifts[first] - matrix.shifts[second]) % matrix.circulant
                place = (row_of[first], row_of[second], difference)
                assert place not in seen
                seen.add(place)


def test_codes_of_other_modes_and_wrong_sizes_are_refused():
    code = choose_code(0.01, Mode.FAST)
    frame = np.zeros(PACKET_BITS, np.uint8)
    syndrome = np.zeros(code.syndrome_bits, np.uint8)
    with pytest.raises(DistillationError, match="mode efficient"):
        reconcile(Mode.EFFICIENT, code, frame, syndrome, nothing_asked)
    other = choose_code(0.01, Mode.EFFICIENT)
    with pytest.raises(DistillationError, match="mode fast"):
        reconcile(Mode.FAST, other, frame, syndrome, nothing_asked)
    with pytest.raises(DistillationError, match="frame must have"):
        code.decode(frame[1:], syndrome, 5)
    with pytest.raises(DistillationError, match="syndrome must have"):
        code.decode(frame, syndrome[1:], 5)
    with pytest.raises(DistillationError, match="code 7"):
        fast_code_by_identifier(7)
    with pytest.raises(DistillationError, match="error rate"):
        choose_code(0.2, Mode.FAST)


def test_the_kernel_refuses_what_would_leave_its_arrays():
    matrix = small_matrix(np.random.default_rng(6), 128)
    tables = fast_tables(0.02)
    good = [matrix.row_starts, matrix.columns, matrix.shifts, 128, matrix.block_columns,
            tables.doubt, tables.message, tables.channel, 1000]  # fmt: skip
    for place, wrong in (
        (0, matrix.row_starts[:-1].copy()),
        (1, matrix.columns + np.int32(1)),
        (2, matrix.shifts - np.int32(128)),
        (3, 100),
        (5, tables.doubt[:-1].copy()),
        (6, -tables.message),
        (7, 0),
        (8, matrix.variables + 1),
    ):
        arguments = good.copy()
        arguments[place] = wrong
        with pytest.raises(ValueError, match=r"row starts|range|circulant|tables|frame"):
            _native.FastDecoder(*arguments)
    decoder = _native.FastDecoder(*good)
    own, syndrome = np.zeros(1000, np.uint8), np.zeros(matrix.checks, np.uint8)
    for wrong in ((own[1:], syndrome), (own, syndrome[1:])):
        with pytest.raises(ValueError, match="length"):
            decoder.decode(*wrong, 5, _native.InstructionSet.PORTABLE)
