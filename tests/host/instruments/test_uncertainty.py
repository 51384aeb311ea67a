import math

import numpy as np
import pytest

from keybeam.instruments import MeasurementError
from keybeam.instruments.routines.photon_budget import Inputs, mean_photons, photon_budget
from keybeam.instruments.uncertainty import (
    Budget,
    Contribution,
    expanded,
    from_readings,
    half_width,
    ratio_db,
)
from keybeam.transmitter.calibration_file import Quantity


def line(part, freedom):
    return Contribution("x", part, 1.0, "nm", "B", "", freedom)


def test_the_end_gauge_of_the_guide():
    # GUM, annex H.1: 32 nm combined, 16 effective degrees of freedom.
    gauge = Budget(50e6, [line(25, 18), line(9.7, 25.6), line(2.9, 50), line(16.6, 2)])
    assert round(gauge.uncertainty) == 32
    assert int(gauge.degrees_of_freedom) == 16


def test_the_coverage_factor_is_two_without_readings_and_larger_with_few():
    # GUM, table G.2, column 95.45 %: 2.000 for infinite, 2.28 for 10, 4.53 for 2.
    for freedom, factor in ((math.inf, 2.0), (10, 2.28), (2, 4.53)):
        found = Budget(1.0, [line(1.0, freedom)]).coverage_factor
        assert found == pytest.approx(factor, abs=5e-3)


def test_readings_and_limits():
    mean, deviation, freedom = from_readings([1.0, 2.0, 3.0])
    assert (mean, freedom) == (2.0, 2)
    assert deviation == pytest.approx(1 / math.sqrt(3))
    assert half_width(0.3) == pytest.approx(0.3 / math.sqrt(3))
    assert expanded(0.03) == 0.015
    with pytest.raises(MeasurementError, match="two or more"):
        from_readings([1.0])


def test_photons_of_a_known_power():
    # 1 pW of 850 nm light is 4.279e6 photons a second (h c = 1.98644586e-25 J m).
    assert mean_photons(1e-12, 0.0, 850.0, 1.0) == pytest.approx(4.27900e6, rel=1e-5)
    assert mean_photons(1e-12, 10.0, 850.0, 1e6) == pytest.approx(0.427900, rel=1e-5)


def test_the_budget_of_photons_agrees_with_random_draws():
    # JCGM 101:2008: the model is evaluated at random inputs.
    inputs = Inputs(0.015, Quantity(50.0, 0.06), Quantity(625e6, 360.0), Quantity(850.0, 0.5))
    budget = photon_budget(3e-5, 2e-7, 9, inputs)
    rng = np.random.default_rng(1)
    count = 200_000
    normal = rng.standard_normal((6, count))
    flat = rng.uniform(-0.005, 0.005, count)
    power = 3e-5 * (1 + 0.015 * normal[0] + flat) + 2e-7 * normal[1]
    drawn = (
        power
        * 1e-9
        * (850 + 0.5 * normal[2])
        / (1.986445857e-25 * (625e6 + 360 * normal[3]))
        * 10 ** (-(50 + 0.06 * normal[4]) / 10)
    )
    assert budget.value == pytest.approx(drawn.mean(), rel=1e-3)
    assert budget.uncertainty == pytest.approx(drawn.std(), rel=0.01)


def test_a_ratio_in_decibels():
    value, uncertainty = ratio_db((1e-3, 0.0), (1e-6, 2e-8), linearity=0.0)
    assert value == pytest.approx(30)
    assert uncertainty == pytest.approx(10 * math.log10(1.02), rel=0.02)
    assert ratio_db((1e-3, 0.0), (1e-6, 0.0))[1] > 0.01
