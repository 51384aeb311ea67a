import math

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.key_length import (
    BlockCounts,
    KeyLengthError,
    binary_entropy,
    chernoff_bounds,
    paper_key_length,
)

BLOCK = BlockCounts(signal=500_000, decoy=34_375, vacuum=3_879, decoy_errors=1_878)


def reference_bounds(count, xi):
    """E^L and E^U by the Lambert function with 40 digits."""
    if count == 0:
        return mpmath.mpf(0), -mpmath.log(xi)
    argument = -mpmath.exp(-1 + mpmath.log(xi) / count)
    return tuple(-count * mpmath.re(mpmath.lambertw(argument, branch)) for branch in (0, -1))


def reference_key(counts, qber, efficiency, intensities, probabilities, xi):
    """Key length by the formulas of the paper with 40 digits: s1, e1, R before rounding."""
    with mpmath.workdps(40):
        weights = [
            [mpmath.exp(-x) * mpmath.mpf(x) ** k / mpmath.factorial(k) for k in range(3)]
            for x in map(mpmath.mpf, intensities)
        ]
        (c0, c1, c2), (b0, b1, b2), (a0, a1, a2) = weights
        p_mu, p_nu, p_o = map(mpmath.mpf, probabilities)
        xi = mpmath.mpf(xi)
        _, signal_u = reference_bounds(counts.signal, xi)
        decoy_l, decoy_u = reference_bounds(counts.decoy, xi)
        vacuum_l, vacuum_u = reference_bounds(counts.vacuum, xi)
        _, errors_u = reference_bounds(counts.decoy_errors, xi)
        s1 = (
            p_mu
            * c1
            * (
                (a0 * c2 - c0 * a2) * a0 * decoy_l / p_nu
                - (a0 * b2 - b0 * a2) * a0 * signal_u / p_mu
                - a0 * (c2 * b0 - b2 * c0) * vacuum_u / p_o
            )
            / (
                (a0 * c2 - c0 * a2) * (a0 * b1 - b0 * a1)
                - (a0 * b2 - b0 * a2) * (a0 * c1 - c0 * a1)
            )
        )
        if s1 <= 0:
            return s1, mpmath.mpf("0.5"), mpmath.mpf(0)
        e1 = (
            (
                errors_u
                - p_nu
                * b0
                * (p_nu * b1 * vacuum_l - p_o * a1 * decoy_u)
                / (2 * p_o * p_nu * (a0 * b1 - a1 * b0))
            )
            * p_mu
            * c1
            / (p_nu * b1 * s1)
        )
        e1 = min(max(e1, mpmath.mpf(0)), mpmath.mpf("0.5"))

        def entropy(x):
            x = mpmath.mpf(x)
            return -sum(p * mpmath.log(p, 2) for p in (x, 1 - x) if p > 0)

        return s1, e1, s1 * (1 - entropy(e1)) - efficiency * counts.signal * entropy(qber)


@pytest.mark.parametrize(
    ("count", "lower", "upper"),
    [
        (10, 0.38221241746799, 48.897201698674),
        (1_000, 800.47149597816, 1230.2139407945),
        (500_000, 495216.8123627, 504813.88874046),
    ],
)
def test_chernoff_bounds_of_published_counts(count, lower, upper):
    assert chernoff_bounds(count, 1e-10) == (
        pytest.approx(lower, rel=1e-13),
        pytest.approx(upper, rel=1e-13),
    )


def test_no_event_bounds_the_expected_value_by_the_exponent():
    assert chernoff_bounds(0, 1e-10) == (0.0, pytest.approx(10 * math.log(10), rel=1e-15))


@given(
    count=st.integers(1, 2**53) | st.integers(1, 100),
    xi=st.floats(1e-300, 0.999),
)
def test_chernoff_bounds_agree_with_the_lambert_function(count, xi):
    with mpmath.workdps(60):
        lower, upper = reference_bounds(count, mpmath.mpf(xi))
        found = chernoff_bounds(count, xi)
        assert abs(found[0] - lower) <= 1e-12 * lower
        assert abs(found[1] - upper) <= 1e-12 * upper


def test_block_of_the_published_check():
    result = paper_key_length(BLOCK, 0.0101, efficiency=1.2)
    assert result.s1 == pytest.approx(195_994.80, abs=0.005)
    assert result.e1 == pytest.approx(0.031605, abs=5e-7)
    assert result.length_bits == 107_392


def test_a_given_leak_is_subtracted_as_it_is():
    by_efficiency = paper_key_length(BLOCK, 0.0101, efficiency=1.2)
    leak = 1.2 * 500_000 * binary_entropy(0.0101)
    assert by_efficiency.leak_bits == pytest.approx(leak, rel=1e-15)
    assert paper_key_length(BLOCK, 0.4, leak_bits=leak) == by_efficiency
    assert paper_key_length(BLOCK, 0.4, leak_bits=leak + 1280).length_bits == 107_392 - 1280


@st.composite
def blocks(draw):
    signal = draw(st.integers(0, 10**7))
    decoy = draw(st.integers(0, max(20, signal // 8)))
    return BlockCounts(
        signal=signal,
        decoy=decoy,
        vacuum=draw(st.integers(0, max(20, decoy // 5))),
        decoy_errors=draw(st.integers(0, decoy // 10) | st.integers(0, decoy)),
    )


@given(
    counts=blocks(),
    qber=st.floats(0, 0.5),
    efficiency=st.floats(1, 2),
    mu=st.floats(0.3, 1.5),
    nu=st.floats(0.02, 0.25),
    o=st.floats(0, 0.01),
    p_mu=st.floats(0.1, 0.8),
    xi=st.floats(1e-20, 0.1),
)
def test_agrees_with_an_evaluation_with_many_digits(counts, qber, efficiency, mu, nu, o, p_mu, xi):
    intensities, probabilities = (mu, nu, o), (p_mu, (1 - p_mu) / 2, 1 - p_mu - (1 - p_mu) / 2)
    arguments = {"intensities": intensities, "probabilities": probabilities, "xi": xi}
    result = paper_key_length(counts, qber, efficiency=efficiency, **arguments)
    s1, e1, secret = reference_key(counts, qber, efficiency, **arguments)
    # s1 is a difference: where its terms nearly cancel, no floating-point evaluation has 1e-9.
    scale = max(abs(s1), mpmath.mpf(counts.signal + 10 * counts.decoy + 1) * mpmath.mpf("1e-4"))
    assert abs(result.s1 - s1) <= 1e-9 * scale
    if abs(s1) == scale:
        assert abs(result.e1 - e1) <= 1e-9 * max(e1, mpmath.mpf("1e-3"))
        assert result.length_bits % 128 == 0
        error = 1e-9 * (scale + result.leak_bits)
        assert result.length_bits <= max(secret, 0) + error
        assert result.length_bits == 0 or result.length_bits > secret - 128 - error
        assert result.length_bits > 0 or secret < 128 + error


@pytest.mark.parametrize(
    "counts",
    [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 1), (5, 3, 1, 0), (500_000, 0, 0, 0), (0, 0, 9_999, 0)],
)
def test_tiny_and_empty_blocks_give_no_key_and_no_error(counts):
    result = paper_key_length(BlockCounts(*counts), 0.01, efficiency=1.2)
    assert result.length_bits == 0
    assert 0 <= result.e1 <= 0.5


@pytest.mark.parametrize("qber", [0.0, 0.5])
def test_ends_of_the_range_of_error_rates(qber):
    result = paper_key_length(BLOCK, qber, efficiency=1.0)
    assert result.leak_bits == (0.0 if qber == 0 else 500_000.0)


@pytest.mark.parametrize(
    ("counts", "named"),
    [
        ((-1, 0, 0, 0), "signal"),
        ((0, -1, 0, 0), "decoy"),
        ((0, 0, math.nan, 0), "vacuum"),
        ((math.inf, 0, 0, 0), "signal"),
        ((1.5, 0, 0, 0), "signal"),
        ((10, 5, 0, 6), "decoy_errors"),
        ((2**60, 5, 0, 6), "signal"),
    ],
)
def test_impossible_counts_are_named(counts, named):
    with pytest.raises(KeyLengthError, match=named):
        BlockCounts(*counts)


@pytest.mark.parametrize(
    ("qber", "options", "named"),
    [
        (-0.1, {"efficiency": 1.2}, "qber"),
        (0.51, {"efficiency": 1.2}, "qber"),
        (math.nan, {"leak_bits": 0}, "qber"),
        (0.01, {}, "leak_bits or the reconciliation efficiency"),
        (0.01, {"efficiency": 1.2, "leak_bits": 5}, "leak_bits or the reconciliation efficiency"),
        (0.01, {"efficiency": 0.99}, "efficiency"),
        (0.01, {"efficiency": math.nan}, "efficiency"),
        (0.01, {"leak_bits": -1}, "leak_bits"),
        (0.01, {"leak_bits": math.inf}, "leak_bits"),
        (0.01, {"leak_bits": 5, "xi": 0.0}, "xi"),
        (0.01, {"leak_bits": 5, "xi": 1.0}, "xi"),
        (0.01, {"leak_bits": 5, "intensities": (0.1, 0.8, 0.0)}, "intensities"),
        (0.01, {"leak_bits": 5, "intensities": (0.8, 0.1, math.nan)}, "intensities"),
        (0.01, {"leak_bits": 5, "probabilities": (0.5, 0.5, 0.5)}, "probabilities"),
        (0.01, {"leak_bits": 5, "probabilities": (0.5, 0.5, 0.0)}, "probabilities"),
    ],
)
def test_impossible_options_are_named(qber, options, named):
    with pytest.raises(KeyLengthError, match=named):
        paper_key_length(BLOCK, qber, **options)
