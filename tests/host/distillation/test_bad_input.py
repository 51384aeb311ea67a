"""Whatever cannot be is refused by a typed error that names it, and makes no key."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.distillation import (
    DistillationError,
    Mode,
    NoCodeError,
    choose_code,
    code_by_identifier,
    decode,
    reconcile,
    toeplitz,
)
from keybeam.distillation.reconciliation import (
    Counted,
    ErrorEstimate,
    FrameDecoder,
    code_identifiers,
    estimate_error_rate,
)

CODE = code_by_identifier(code_identifiers()[0])
FRAME, SYNDROME = np.zeros(CODE.frame_bits, np.uint8), np.zeros(CODE.syndrome_bits, np.uint8)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(0, 2 * CODE.frame_bits).filter(lambda size: size != CODE.frame_bits))
def test_frames_of_the_wrong_size(size):
    frame = np.zeros(size, np.uint8)
    with pytest.raises(DistillationError, match=f"the frame must have .* bits, not {size}"):
        CODE.syndrome(frame)
    with pytest.raises(DistillationError, match=f"the frame must have .* bits, not {size}"):
        decode(CODE, frame, SYNDROME)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(0, CODE.syndrome_bits - 1))
def test_truncated_syndromes(size):
    with pytest.raises(DistillationError, match=f"the syndrome must have .* bits, not {size}"):
        reconcile(Mode.INTERACTIVE, CODE, FRAME, SYNDROME[:size], lambda places: FRAME[places])


def test_a_syndrome_of_another_matrix():
    other = code_by_identifier(code_identifiers()[1])
    with pytest.raises(DistillationError, match="the syndrome must have"):
        decode(other, FRAME, SYNDROME)


@pytest.mark.parametrize("count", [99, 101])
def test_an_answer_of_another_number_of_bits(count):
    decoder = FrameDecoder(CODE, FRAME, SYNDROME)
    with pytest.raises(DistillationError, match=f"the told bits must have 100 bits, not {count}"):
        decoder.tell(np.arange(100, dtype=np.uint32), np.zeros(count, np.uint8))
    with pytest.raises(DistillationError, match="-1 doubtful bits"):
        decoder.doubtful(-1)


impossible = st.one_of(
    st.tuples(st.integers(-1000, -1), st.integers(1, 1000)),
    st.tuples(st.integers(0, 1000), st.integers(-1000, -1)),
    st.integers(0, 1000).flatmap(lambda bits: st.tuples(st.just(bits + 1), st.just(max(bits, 1)))),
    st.tuples(st.just(math.nan), st.integers(1, 1000)),
    st.tuples(st.integers(0, 1000), st.just(math.nan)),
).filter(lambda count: not 0 <= count[0] <= count[1])


@given(count=impossible)
def test_counts_that_cannot_be(count):
    with pytest.raises(DistillationError, match=r"errors in .* bits"):
        estimate_error_rate([Counted(10, 1000, 0), Counted(*count, 0)])


@given(rate=st.floats(allow_nan=True, allow_infinity=True))
def test_a_code_fits_its_rate_or_there_is_none(rate):
    if not 0 <= rate <= 0.5:
        with pytest.raises(DistillationError, match="an error rate lies between"):
            choose_code(rate)
    elif rate >= code_by_identifier(code_identifiers()[-1]).limit_qber:
        with pytest.raises(NoCodeError, match="no reconciliation code for an error rate"):
            choose_code(rate)
    else:
        with contextlib.suppress(NoCodeError):
            assert choose_code(rate).limit_qber > rate


@given(deviation=st.floats().filter(lambda value: not 0 <= value < math.inf))
def test_deviations_that_cannot_be(deviation):
    with pytest.raises(DistillationError, match="deviation"):
        choose_code(ErrorEstimate(0.01, deviation))


@given(
    length=st.one_of(st.integers(-100, 0), st.integers(101, 1000), st.just(math.nan), st.just(1.5))
)
def test_keys_longer_than_their_string_or_of_no_bits(length):
    bits, seed = np.ones(100, np.uint8), np.ones(1100, np.uint8)
    with pytest.raises(DistillationError, match=f"to {length} bits"):
        toeplitz(bits, seed, length)
