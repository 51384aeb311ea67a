import statistics

import pytest

from keybeam.key_length.published import (
    POLARISATION_ERROR,
    PUBLISHED_PASSES,
    pass_keys,
    rebuilt_counts,
)


def test_rebuilt_counts_are_those_of_the_published_check():
    counts = rebuilt_counts(0.0101, 5)
    # The block that the formulas are usually checked with: 34 375, 3 879 and 1 878.
    assert counts.key.clicks == (
        500_000,
        pytest.approx(34_375, rel=0.01),
        pytest.approx(3_879, rel=0.02),
    )
    assert counts.key.errors == (5_050, pytest.approx(1_878, rel=0.02), None)


def test_a_contrast_of_25_db_is_0_315_percent():
    assert pytest.approx(0.00315, abs=1e-5) == POLARISATION_ERROR


def test_keys_of_the_published_passes():
    keys = [pass_keys(row, 1.2) for row in PUBLISHED_PASSES]
    published = [row.key_bits for row in PUBLISHED_PASSES]

    def median(values):
        return statistics.median(v / p for v, p in zip(values, published, strict=True))

    # The rebuilt counts give the published keys by the published analysis, as a whole.
    assert median(k.paper for k in keys) == pytest.approx(1, abs=0.1)
    assert 1.10 <= median(k.blocks for k in keys) < 1.8
    assert 1.35 <= median(k.whole for k in keys) < 1.8
