import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult

from keybeam.key_length import (
    BasisCounts,
    BlockCounts,
    KeyLengthError,
    NoKeyError,
    Security,
    SiftedCounts,
    Source,
    composable_key_length,
    paper_key_length,
    supermartingale,
)
from keybeam.key_length.composable import composable_bounds
from keybeam.key_length.hidden import Layout, Target
from keybeam.key_length.supermartingale import TYPICAL_LINKS, family, member

PAPER = Source()
ONE_DECOY = Source((0.5, 0.1), (0.7, 0.3))
BIASED = Source(key_basis_probability=0.9)
UNCERTAIN = Source(intensity_uncertainty=0.05)


def block(factor=1, *, signal_errors=5050, decoy_errors=1878, **options):
    clicks = (500_000 * factor, 34_375 * factor, 3_879 * factor)
    return SiftedCounts(
        BasisCounts(clicks, (signal_errors * factor, decoy_errors * factor, None)), **options
    )


def layout_of(source, errors_known):
    bases = 1 if source.key_basis_probability is None else 2
    return Layout((errors_known,) * bases)


def classes_of_a_click(source, photons, target, corner):
    """All ways in which a click of so many photons may come out, written down on its own.

    Gives for each choice of the eavesdropper a list of (basis, intensity, wrong, probability,
    whether it is bounded).
    """
    intensities = [
        mpmath.mpf(x) * (1 + sign * mpmath.mpf(source.intensity_uncertainty))
        for x, sign in zip(source.intensities, corner, strict=True)
    ]
    weights = [
        p * mpmath.exp(-x) * x**photons
        for x, p in zip(intensities, source.probabilities, strict=True)
    ]
    weights = [weight / mpmath.fsum(weights) for weight in weights]
    chosen = source.key_basis_probability
    if chosen is None:
        bases = [(0, mpmath.mpf(1) / 2, True), (0, mpmath.mpf(1) / 2, True)]
    else:
        key, check = mpmath.mpf(chosen) ** 2, (1 - mpmath.mpf(chosen)) ** 2
        bases = [(0, key / (key + check), True), (1, check / (key + check), False)]
    if photons >= 2:
        for basis, wrong in itertools.product((0, 1), (False, True)):
            yield [(bases[basis][0], k, wrong, w, False) for k, w in enumerate(weights)]
        return
    errors = itertools.product((False, True), repeat=2) if photons else [None]
    for pair in errors:
        ways = []
        for which, (basis, part, makes_key) in enumerate(bases):
            for k, w in enumerate(weights):
                mine = makes_key and k == 0
                if pair is None:
                    bounded = mine and target is Target.VACUUM
                    ways += [(basis, k, wrong, part * w / 2, bounded) for wrong in (False, True)]
                else:
                    phase = pair[1 - which]
                    bounded = mine and (
                        target is Target.SINGLE or (target is Target.PHASE_ERRORS and phase)
                    )
                    ways.append((basis, k, pair[which], part * w, bounded))
        yield ways


def largest_expectation(source, layout, target, scale, logarithms):
    """Largest expectation of a click's factor over photon numbers 0 to 60 and all kinds."""
    places = layout.variables()
    signed = mpmath.mpf(scale) * (1 if target is Target.PHASE_ERRORS else -1)
    corners = itertools.product(
        (-1, 1) if source.intensity_uncertainty else (0,), repeat=len(source.intensities)
    )
    largest = mpmath.mpf(0)
    for corner, photons in itertools.product(corners, (*range(12), 25, 60)):
        for ways in classes_of_a_click(source, photons, target, corner):
            expectation = mpmath.fsum(
                probability
                * mpmath.exp(mpmath.mpf(logarithms[places[basis, k, wrong]]) + bounded * signed)
                for basis, k, wrong, probability, bounded in ways
            )
            largest = max(largest, expectation)
    return largest


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize(
    ("source", "errors_known"),
    [
        (PAPER, (True, True, False)),
        (ONE_DECOY, (True, True)),
        (BIASED, (True, True, True)),
        (UNCERTAIN, (True, True, False)),
    ],
)
def test_no_kind_of_click_gains(source, errors_known, target):
    layout = layout_of(source, errors_known)
    with mpmath.workdps(30):
        for scale, link in itertools.product((1e-4, 0.01, 0.3), TYPICAL_LINKS[2:4]):
            logarithms = member(source, layout, target, link, scale)
            largest = largest_expectation(source, layout, target, scale, logarithms)
            assert largest <= 1
            # The condition is used up, and a fault of one part in a million is seen.
            assert largest >= 1 - 1e-6
            faulty = logarithms + 1e-6
            assert largest_expectation(source, layout, target, scale, faulty) > 1


@pytest.mark.parametrize("target", list(Target))
def test_a_solver_that_fails_leaves_bounds_that_prove_nothing(target, monkeypatch):
    def failing(*arguments, **options):
        return OptimizeResult(x=None, message="broken")

    monkeypatch.setattr(supermartingale, "linprog", failing)
    layout = Layout(((True, True, False),))
    logarithms = member(PAPER, layout, target, TYPICAL_LINKS[2], 0.01)
    assert largest_expectation(PAPER, layout, target, 0.01, logarithms) <= 1


def without_fluctuations(counts):
    """s1 of three intensities by the paper's formula, with the counts as if they were exact."""
    (signal, decoy, vacuum), (p_mu, p_nu, p_o) = counts, PAPER.probabilities
    (c0, c1, c2), (b0, b1, b2), (a0, a1, a2) = (
        (math.exp(-x), math.exp(-x) * x, math.exp(-x) * x * x / 2) for x in PAPER.intensities
    )
    numerator = (
        (a0 * c2 - c0 * a2) * a0 * decoy / p_nu
        - (a0 * b2 - b0 * a2) * a0 * signal / p_mu
        - a0 * (c2 * b0 - b2 * c0) * vacuum / p_o
    )
    denominator = (a0 * c2 - c0 * a2) * (a0 * b1 - b0 * a1)
    denominator -= (a0 * b2 - b0 * a2) * (a0 * c1 - c0 * a1)
    return p_mu * c1 * numerator / denominator


def test_large_blocks_come_near_the_decoy_method_without_fluctuations():
    counts = block(2_000)
    bounds = composable_bounds(counts, PAPER, 1e-11, 1e-21)
    limit = without_fluctuations(counts.key.clicks)
    assert 0.99 * limit < bounds.s1 < limit


def test_every_term_is_subtracted():
    result = composable_key_length(block(packets=5), 58_650)
    entropy = -sum(p * math.log2(p) for p in (result.e1, 1 - result.e1))
    # 5 numbers of up to 500 000 errors; log2(2/1e-15); 2 log2(1/(2 · 2e-11)).
    terms = 58_650 + 5 * 19 + 51 + 2 * math.log2(1 / 4e-11)
    secret = result.s0 + result.s1 * (1 - entropy) - terms
    assert result.length_bits == 128 * math.floor(secret / 128)
    assert (result.secrecy, result.correctness) == (1e-10, 1e-15)


def test_the_parts_add_up_to_the_secrecy():
    security = Security(3e-9)
    parts = 2 * security.counting + 2 * math.sqrt(security.phase_errors) + security.amplification
    assert parts <= 3e-9 * (1 + 1e-12)


def test_a_block_makes_more_key_than_by_the_paper_and_a_pass_more_than_its_blocks():
    paper = paper_key_length(BlockCounts(500_000, 34_375, 3_879, 1_878), 0.0101, leak_bits=58_650)
    one = composable_key_length(block(packets=5), 58_650)
    four = composable_key_length(block(4, packets=20), 4 * 58_650)
    assert paper.length_bits < one.length_bits < 1.2 * paper.length_bits
    assert 4 * one.length_bits < four.length_bits < 1.8 * 4 * paper.length_bits


def length(counts, leak=50_000, source=PAPER, security=None):
    try:
        return composable_key_length(counts, leak, source, security).length_bits
    except NoKeyError:
        return 0


@settings(max_examples=50, deadline=None)
@given(
    factor=st.floats(0.05, 20),
    signal_part=st.floats(0, 0.1),
    decoy_part=st.floats(0, 0.3),
    more=st.integers(1, 1_000),
    failure=st.floats(1e-15, 1e-3),
)
def test_what_is_worse_never_lengthens_the_key(factor, signal_part, decoy_part, more, failure):
    clicks = tuple(int(factor * n) for n in (500_000, 34_375, 3_879))
    signal_errors, decoy_errors = int(signal_part * clicks[0]), int(decoy_part * clicks[1])

    def counts(signal_more=0, decoy_more=0, **options):
        errors = (signal_errors + signal_more, decoy_errors + decoy_more, None)
        return SiftedCounts(BasisCounts(clicks, errors), **options)

    leak = 1.2 * clicks[0] * 0.08
    secure = Security(failure)
    best = length(counts(), leak, PAPER, secure)
    assert length(counts(signal_more=min(more, clicks[0] // 100)), leak, PAPER, secure) <= best
    assert length(counts(decoy_more=more), leak, PAPER, secure) <= best
    assert length(counts(), leak + more, PAPER, secure) <= best
    assert length(counts(), leak, PAPER, Security(failure / 2)) <= best
    assert length(counts(dropped_packets=1), leak, PAPER, secure) <= best
    assert length(counts(packets=7), leak, PAPER, secure) <= best


def test_uncertainties_shorten_the_key():
    exact = length(block())
    for source in (
        Source(intensity_uncertainty=0.02),
        Source(preparation_error_deg=0.5),
    ):
        assert 0 < length(block(), source=source) < exact


def test_one_decoy_and_biased_bases_make_key_on_their_own_counts():
    one_decoy = SiftedCounts(BasisCounts((500_000, 45_000), (3_000, 800)))
    assert 0 < length(one_decoy, 30_000, ONE_DECOY) < 500_000
    key = BasisCounts((500_000, 34_375, 3_879), (5_050, 1_878, 1_940))
    part = (0.1 / 0.9) ** 2
    check = BasisCounts(*(tuple(int(part * n) for n in row) for row in (key.clicks, key.errors)))
    biased = length(SiftedCounts(key, check), 50_000, BIASED)
    # Fewer clicks tell of the phase errors than where both bases make key.
    assert 0 < biased < length(block())


def test_bit_errors_of_the_checked_basis_are_used_whatever_the_angle():
    layout = Layout(((True, True), (True, True)))
    assert layout.without_errors(of_key_only=True) == Layout(((False, True), (True, True)))
    assert layout.without_errors() == Layout(((False, False), (False, False)))


def test_the_best_of_the_family_is_taken():
    layout = Layout.of(block())
    bounds = family(PAPER, layout, Target.SINGLE)
    counts = np.array(layout.vector(block()))
    each = (bounds.logarithms @ counts - math.log(1e11 * bounds.size)) / bounds.scales
    assert bounds.bound(list(counts), math.log(1e11)) == pytest.approx(each.max(), abs=1e-3)


@pytest.mark.parametrize(
    ("counts", "named"),
    [
        (lambda: BasisCounts((10, -1), (0, 0)), r"clicks\[1\]"),
        (lambda: BasisCounts((10, math.nan), (0, 0)), r"clicks\[1\]"),
        (lambda: BasisCounts((10, 5), (11, 0)), r"errors\[0\]"),
        (lambda: BasisCounts((10, 5), (0, math.nan)), r"errors\[1\]"),
        (lambda: BasisCounts((10, 5), (0,)), "2 intensities"),
        (lambda: block(packets=0), "packets"),
        (lambda: block(dropped_packets=-1), "dropped_packets"),
        (lambda: block(dropped_packets=1024), "dropped_packets"),
    ],
)
def test_impossible_counts_are_named(counts, named):
    with pytest.raises(KeyLengthError, match=named):
        counts()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"intensities": (0.1, 0.8, 0.0)}, "intensities"),
        ({"intensities": (0.8, 0.1, math.nan)}, "intensities"),
        ({"intensities": (0.8,), "probabilities": (1.0,)}, "intensities"),
        ({"probabilities": (0.5, 0.5, 0.5)}, "probabilities"),
        ({"probabilities": (0.5, 0.5)}, "probabilities"),
        ({"intensity_uncertainty": -0.1}, "intensity_uncertainty"),
        ({"preparation_error_deg": 45}, "preparation_error_deg"),
        ({"key_basis_probability": 1.0}, "key_basis_probability"),
    ],
)
def test_impossible_sources_are_named(options, named):
    with pytest.raises(KeyLengthError, match=named):
        Source(**options)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((block(), -1), "leak_bits"),
        ((block(), math.nan), "leak_bits"),
        ((block(signal_errors=55_000), 0), "error rate of the signal bits"),
        ((block(), 0, ONE_DECOY), "intensities"),
        ((block(), 0, BIASED), "key_basis_probability"),
        ((block(), 0, Source((0.8, 0.79, 0.0))), "too close"),
    ],
)
def test_what_gives_no_analysis_is_named(arguments, named):
    with pytest.raises(KeyLengthError, match=named):
        composable_key_length(*arguments)


@pytest.mark.parametrize("name", ["secrecy", "correctness"])
@pytest.mark.parametrize("value", [0.0, 1.0, math.nan])
def test_impossible_failure_probabilities_are_named(name, value):
    with pytest.raises(KeyLengthError, match=name):
        Security(**{name: value})


@pytest.mark.parametrize("clicks", [(0, 0, 0), (1, 0, 0), (500_000, 0, 0), (0, 0, 9_999)])
def test_counts_that_prove_nothing_are_told_as_no_key(clicks):
    with pytest.raises(NoKeyError, match="no key"):
        composable_key_length(SiftedCounts(BasisCounts(clicks, (0, 0, None))), 0)
