"""Thresholds of regular codes on the binary symmetric channel, against published ones.

T. J. Richardson and R. L. Urbanke, IEEE Trans. Inf. Theory 47 (2001) 599, table II.
"""

import pytest

from keybeam.distillation.design.density_evolution import DegreeDistribution, converges
from keybeam.distillation.design.plan import code_plans
from keybeam.distillation.design.thresholds import distribution_of


@pytest.mark.parametrize(("variable", "check", "published"), [(3, 6, 0.084), (4, 8, 0.076)])
def test_regular_codes_have_the_published_thresholds(variable, check, published):
    distribution = DegreeDistribution({variable: 1.0}, float(check))
    assert converges(distribution, 0.98 * published)
    assert not converges(distribution, 1.02 * published)


def test_the_distribution_of_a_plan_has_its_rate():
    for plan in code_plans():
        distribution = distribution_of(plan)
        assert distribution.syndrome_rate == pytest.approx(plan.block_rows / len(plan.degrees))
        assert sum(distribution.edges.values()) == pytest.approx(1)
        assert sum(distribution.check_edges().values()) == pytest.approx(1)
