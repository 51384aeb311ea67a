import math

import numpy as np
import pytest
from scipy.stats import binom

from keybeam.key_length import (
    BasisCounts,
    KeyLengthError,
    NoKeyError,
    SiftedCounts,
    Source,
    composable_key_length,
)
from keybeam.key_length.composable import composable_bounds
from keybeam.key_length.single_photons import most_many_photon_pulses

SEED = 20260102
DOT = Source((0.5,), (1.0,), pair_correlation=0.02)
"""A quantum dot with 0.5 photons a pulse and g²(0) = 0.02: 1/400 of the pulses with several."""


def block(pulses=10**8, signal=500_000, errors=10_000):
    return SiftedCounts(BasisCounts((signal,), (errors,)), pulses=pulses)


@pytest.mark.parametrize("pulses", [10**5, 10**7, 10**9])
@pytest.mark.parametrize("failure", [1e-3, 1e-10])
def test_pulses_of_several_photons_are_bounded_as_a_binomial_number(pulses, failure):
    bound = most_many_photon_pulses(DOT, pulses, -math.log(failure))
    # Half of the pulses with 1/400 each; exact tails are below, and not by far.
    exact = binom.isf(failure, pulses, 0.5 / 400)
    assert binom.sf(bound, pulses, 0.5 / 400) <= failure
    assert bound - pulses / 800 < 2 * (exact - pulses / 800) + 20


def test_phase_errors_are_bounded_as_a_coin_decides_them():
    """Phase errors of photons that are wrong in one basis only, from their bit errors."""
    generator = np.random.default_rng(SEED)
    source = Source((1.0,), (1.0,), pair_correlation=0.0)
    for wrong in (0, 1_000, 20_000):
        phases = wrong - generator.binomial(wrong, 0.5, 1_000)
        bounds = np.array(
            [
                composable_bounds(block(errors=int(wrong - p)), source, 1e-3, 1e-3).phase_errors
                for p in phases
            ]
        )
        assert np.count_nonzero(phases > bounds) <= 1
        assert np.median(bounds) - wrong / 2 < 12 * math.sqrt(wrong) + 30


def test_a_better_source_makes_more_key():
    leak = 100_000.0
    lengths = [
        composable_key_length(
            block(), leak, Source((0.5,), (1.0,), pair_correlation=g2)
        ).length_bits
        for g2 in (0.02, 0.01, 0.0)
    ]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]
    # Without pairs only phase errors, their fluctuation and the leak are lost.
    assert 0.75 < (lengths[-1] + leak) / 500_000 < 1


def test_too_many_pulses_for_the_clicks_make_no_key():
    with pytest.raises(NoKeyError, match="no key"):
        composable_key_length(block(pulses=10**9), 0, DOT)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: composable_key_length(block(pulses=None), 0, DOT), "number of pulses"),
        (lambda: block(pulses=-1), "pulses"),
        (lambda: Source((0.5,), (1.0,), pair_correlation=-0.1), "pair_correlation"),
        (lambda: Source((0.5,), (1.0,), pair_correlation=math.nan), "pair_correlation"),
        (lambda: Source((0.5,), (1.0,)), "intensities"),
        (lambda: Source((0.0,), (1.0,), pair_correlation=0.1), "intensities"),
        (lambda: Source(pair_correlation=0.1), "one intensity"),
    ],
)
def test_impossible_sources_are_named(make, named):
    with pytest.raises(KeyLengthError, match=named):
        make()
