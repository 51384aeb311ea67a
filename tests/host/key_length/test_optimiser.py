import math

import pytest

from keybeam.key_length import KeyLengthError, Security, Source
from keybeam.key_length.composable import composable_bounds
from keybeam.key_length.optimiser import LinkBudget, expected_key_bits, optimise
from keybeam.key_length.supermartingale import KnownLink

JINAN = LinkBudget(1.875e11, 42.3, 6.8e-7, 0.00315)
"""About the pass of 25 September 2022: 20 packets of sifted bits with 1 % of errors."""


def test_the_budget_gives_the_packets_and_errors_of_the_published_pass():
    counts = JINAN.counts(Source())
    signal, errors = counts.key.clicks[0], counts.key.errors[0]
    assert signal == pytest.approx(2_000_000, rel=0.02)
    assert errors / signal == pytest.approx(0.0101, rel=0.02)


def test_a_bound_for_a_known_link_is_about_that_of_the_family():
    counts, security = JINAN.counts(Source()), Security()
    arguments = (counts, Source(), security.counting, security.phase_errors)
    known = composable_bounds(*arguments, find=KnownLink(JINAN.link))
    of_family = composable_bounds(*arguments)
    assert known.s1 == pytest.approx(of_family.s1, rel=0.01)
    assert known.s0 == pytest.approx(of_family.s0, rel=0.02)
    assert known.phase_errors == pytest.approx(of_family.phase_errors, rel=0.05)


def test_a_source_is_found_that_makes_more_key():
    rounds = []
    found = optimise(JINAN, rounds=40, progress=lambda: rounds.append(1))
    assert 20 < len(rounds) <= 45
    assert found.reference_bits == expected_key_bits(JINAN, Source(), 1.2, Security())
    # Signals make the key; half of the pulses were decoys of one kind or another.
    assert 1.2 < found.key_bits / found.reference_bits < 2
    assert found.probabilities[0] > 0.6
    assert math.fsum(found.probabilities) == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((0.0, 40, 0, 0), "pulses"),
        ((1e9, 0.0, 0, 0), "loss_db"),
        ((1e9, math.nan, 0, 0), "loss_db"),
        ((1e9, 40, -1e-6, 0), "background"),
        ((1e9, 40, 0, 0.6), "error_rate"),
    ],
)
def test_impossible_links_are_named(values, named):
    with pytest.raises(KeyLengthError, match=named):
        LinkBudget(*values)
