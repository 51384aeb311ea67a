"""Thresholds on the binary symmetric channel, against published ones."""

import numpy as np
import pytest

from keybeam.distillation.design.degrees import distribution_for
from keybeam.distillation.design.density_evolution import (
    DegreeDistribution,
    Progress,
    converges,
    threshold,
)
from keybeam.distillation.design.optimiser import optimised
from keybeam.distillation.design.plan import column_degrees
from keybeam.key_length import binary_entropy


@pytest.mark.parametrize(("variable", "check", "published"), [(3, 6, 0.084), (4, 8, 0.076)])
def test_regular_codes_have_the_published_thresholds(variable, check, published):
    """T. J. Richardson and R. L. Urbanke, IEEE Trans. Inf. Theory 47 (2001) 599, table II."""
    distribution = DegreeDistribution({variable: 1.0}, float(check))
    assert converges(distribution, 0.98 * published)
    assert not converges(distribution, 1.02 * published)


def test_more_progress_leaves_less_room_for_errors():
    distribution = DegreeDistribution({3: 1.0}, 6.0)
    assert converges(distribution, 0.08)
    assert not converges(distribution, 0.08, Progress(0.2, 0.2))


def test_room_half_way_costs_errors_and_leaves_the_ends_alone():
    distribution, ends = DegreeDistribution({3: 1.0}, 6.0), Progress(0.02, 0.004)
    roomy = ends._replace(middle=0.05)
    assert [roomy.at(0), roomy.at(1)] == [ends.at(0), ends.at(1)] == [0.004, 0.02]
    assert roomy.at(0.5) == pytest.approx(0.062)
    assert threshold(distribution, roomy) < threshold(distribution, ends)


def test_the_optimiser_finds_degrees_that_regular_codes_do_not_come_near():
    wanted = Progress(0.03, 0.03)
    found, qber = optimised(
        0.5, 8.0, progress=wanted, stability=0.9, largest=12, rounds=6, degrees=(2, 3, 5, 12)
    )
    assert found.syndrome_rate == pytest.approx(0.5, abs=1e-4)
    assert sum(found.edges.values()) == pytest.approx(1)
    # 8.4 % is what the best regular code of that rate stands, 11 % is Shannon's bound.
    assert 0.094 < qber < 0.11
    assert converges(found, qber, wanted)


@pytest.mark.parametrize("rate", [0.055, 0.16, 0.5])
def test_the_degrees_of_the_package_come_near_to_shannon(rate):
    distribution = distribution_for(rate)
    assert distribution.syndrome_rate == pytest.approx(rate)
    assert sum(distribution.edges.values()) == pytest.approx(1, abs=1e-3)
    assert sum(distribution.check_edges().values()) == pytest.approx(1)
    assert 1 < rate / binary_entropy(threshold(distribution)) < 1.07


def test_columns_have_the_degrees_of_the_distribution():
    distribution = distribution_for(0.16)
    degrees = np.array(column_degrees(distribution, 625))
    assert degrees.size == 625
    assert np.all(np.diff(degrees) >= 0)
    for degree, part in distribution.edges.items():
        columns = part / degree / sum(p / d for d, p in distribution.edges.items()) * 625
        assert abs(np.count_nonzero(degrees == degree) - columns) <= 1
