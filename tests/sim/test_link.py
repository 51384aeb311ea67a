import numpy as np
import pytest

from keybeam_sim.link import Fading, LinkBudget


def test_geometric_loss_is_the_gaussian_integral():
    link = LinkBudget()
    radius = np.linspace(0, link.receiver_diameter_m / 2, 20_001)
    for range_m in (5e5, 1.4e6):
        width = range_m * link.divergence_rad / 2
        density = 2 / (np.pi * width**2) * np.exp(-2 * radius**2 / width**2)
        expected = np.trapezoid(density * 2 * np.pi * radius, radius)
        assert link.geometric(range_m) == pytest.approx(expected, rel=1e-6)


def test_pointing_loss_is_the_mean_over_the_jitter():
    link = LinkBudget(pointing_rms_rad=1.6e-6)
    generator = np.random.default_rng(3)
    errors = generator.normal(0, 1.6e-6 / np.sqrt(2), (2, 400_000))
    off_axis = np.exp(-2 * (errors**2).sum(0) / (link.divergence_rad / 2) ** 2)
    assert link.pointing == pytest.approx(off_axis.mean(), abs=5 * off_axis.std() / 632)


def test_atmosphere():
    link = LinkBudget(zenith_transmittance=0.7)
    assert link.atmosphere(90.0) == pytest.approx(0.7, rel=1e-3)
    assert link.atmosphere(30.0) == pytest.approx(0.7**2, rel=0.01)


def test_budget_is_the_product_of_its_parts():
    link = LinkBudget(excess_loss_db=10.0)
    parts = link.geometric(1e6) * link.pointing * link.atmosphere(25.0) * 0.49 * 0.1
    assert link.transmittance(1e6, 25.0) == pytest.approx(parts)


def test_fading_has_unit_mean_and_its_correlation():
    fading = Fading(log_sigma=0.3, correlation_s=0.5)
    factors = fading.sample(200_000, 0.05, np.random.default_rng(5))
    # About 0.05/(2 × 0.5) of the samples are independent.
    assert factors.mean() == pytest.approx(1, abs=5 * 0.31 / np.sqrt(10_000))
    logarithm = np.log(factors)
    assert logarithm.std() == pytest.approx(0.3, rel=0.1)
    lagged = np.corrcoef(logarithm[:-10], logarithm[10:])[0, 1]
    assert lagged == pytest.approx(np.exp(-1), abs=0.06)
