"""What a session is told of a block's key where the counts are none, or prove nothing."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.key_length import (
    Analysis,
    BasisCounts,
    BlockCounts,
    KeyLengthError,
    SessionAnalysis,
    SiftedCounts,
    Source,
    composable_key_length,
)

BLOCK = BlockCounts(signal=500_000, decoy=34_375, vacuum=3_879, decoy_errors=1_878)
SOURCE = ((0.8, 0.1, 0.001), (0.5, 0.25, 0.25), 1e-10)


def length(analysis, errors=5_050, leak=58_650, packets=5, dropped=0, counts=BLOCK):
    return SessionAnalysis(analysis, *SOURCE).key_length(
        counts, errors, leak, packets=packets, dropped_packets=dropped
    )


@pytest.mark.parametrize("analysis", Analysis)
@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"errors": 500_001}, "errors"),
        ({"errors": -1}, "errors"),
        ({"errors": math.nan}, "errors"),
        ({"errors": 0.5}, "errors"),
        ({"leak": -1}, "leak"),
        ({"leak": math.nan}, "leak"),
        ({"packets": 0}, "packets"),
        ({"dropped": -1}, "dropped_packets"),
    ],
)
def test_what_cannot_be_is_named(analysis, changed, named):
    with pytest.raises(KeyLengthError, match=named):
        length(analysis, **changed)


@pytest.mark.parametrize("name", ["signal", "decoy", "vacuum", "decoy_errors"])
@pytest.mark.parametrize("value", [-1, math.nan, 0.5, math.inf, 2**53 + 2])
def test_counts_that_cannot_be_are_named(name, value):
    counts = {"signal": 10, "decoy": 10, "vacuum": 10, "decoy_errors": 0, name: value}
    with pytest.raises(KeyLengthError, match=name):
        BlockCounts(**counts)


@pytest.mark.parametrize("analysis", Analysis)
def test_no_key_from_an_error_rate_of_11_percent_on(analysis):
    """However little was disclosed, and however few decoys were wrong."""
    good = BlockCounts(signal=500_000, decoy=34_375, vacuum=3_879, decoy_errors=0)
    assert length(analysis, errors=54_999, leak=0, counts=good).length_bits > 0
    assert length(analysis, errors=55_000, leak=0, counts=good).length_bits == 0


@settings(max_examples=50, deadline=None)
@given(
    analysis=st.sampled_from(Analysis),
    errors=st.integers(0, 20_000),
    leak=st.integers(0, 150_000),
    more=st.integers(0, 20_000),
    dropped=st.integers(0, 4),
)
def test_more_disclosed_or_dropped_is_never_a_longer_key(analysis, errors, leak, more, dropped):
    base = length(analysis, errors, leak).length_bits
    worse = length(analysis, errors, leak + more, dropped=dropped).length_bits
    assert worse <= base <= max(0, base)


def test_a_basis_that_only_checks_needs_its_counts_and_the_composable_analysis():
    intensities, probabilities = (0.4, 0.1, 0.001), (0.875, 0.109375, 0.015625)
    key = BlockCounts(signal=1_000_000, decoy=31_500, vacuum=50, decoy_errors=330)
    check = BasisCounts((4_440, 140, 0), (44, 1, None))
    analysis = SessionAnalysis(Analysis.COMPOSABLE, intensities, probabilities, 1e-10, 15 / 16)
    found = analysis.key_length(key, 10_000, 110_000, packets=10, dropped_packets=1, check=check)
    expected = composable_key_length(
        SiftedCounts(
            BasisCounts((1_000_000, 31_500, 50), (10_000, 330, None)),
            check,
            packets=10,
            dropped_packets=1,
        ),
        110_000,
        Source(intensities, probabilities, key_basis_probability=15 / 16),
    )
    assert found == expected
    with pytest.raises(KeyLengthError, match="check basis"):
        analysis.key_length(key, 10_000, 110_000, packets=10, dropped_packets=1)
    with pytest.raises(KeyLengthError, match="only checks"):
        SessionAnalysis(Analysis.PAPER, intensities, probabilities, 1e-10, 15 / 16)
