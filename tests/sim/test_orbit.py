from datetime import UTC, datetime

import numpy as np
import pytest

from keybeam_sim.orbit import SPEED_OF_LIGHT, Station, solve_pass
from keybeam_sim.scenario import PassScenario

GEOMETRY = PassScenario().geometry
MIDDLE = 150.0


def test_culminates_when_and_as_high_as_asked():
    time_s = np.linspace(0, 300, 3001)
    elevation = GEOMETRY.elevation_deg(time_s)
    assert elevation.max() == pytest.approx(34.1, abs=1e-4)
    assert time_s[elevation.argmax()] == pytest.approx(MIDDLE, abs=0.2)
    # The link is established between 10 and 15 degrees (arXiv:2408.10994, Fig. 4).
    assert 10 < elevation[0] < 20
    assert 10 < elevation[-1] < 20


def test_range_follows_from_height_and_elevation():
    """Law of cosines: centre of the Earth, station, satellite; oblateness moves it by per cents."""
    earth, height = 6.371e6, 5e5
    for time_s in (0.0, 70.0, MIDDLE, 290.0):
        sine = np.sin(np.radians(GEOMETRY.elevation_deg(time_s)))
        expected = np.sqrt((earth * sine) ** 2 + 2 * earth * height + height**2) - earth * sine
        assert GEOMETRY.range_m(time_s) == pytest.approx(expected, rel=0.03)


def test_speed_is_that_of_a_circular_orbit():
    """d²(range²)/dt² at culmination is about 2 v² (1 - curvature); bounded by the orbital speed."""
    rate = GEOMETRY.range_rate_m_s(np.array([0.0, MIDDLE, 300.0]))
    assert abs(rate[1]) < 100
    assert -7_600 < rate[0] < -5_000
    assert 5_000 < rate[2] < 7_600
    ppm = np.abs(rate).max() / SPEED_OF_LIGHT * 1e6
    assert 18 < ppm < 23.4


def test_fit_agrees_with_the_orbit_model():
    time_s = np.arange(0.3, 299, 7.1)
    range_m, elevation = GEOMETRY._track(time_s)
    np.testing.assert_allclose(GEOMETRY.range_m(time_s), range_m, atol=1e-5)
    np.testing.assert_allclose(GEOMETRY.elevation_deg(time_s), elevation, atol=1e-6)


def test_delay_series():
    zeroth, first, second, third = GEOMETRY.delay_series(100.0)
    for since in (-0.05, 0.0, 0.05):
        delay = zeroth + since * (first + since * (second + since * third))
        assert delay == pytest.approx(float(GEOMETRY.delay_s(100 + since)), abs=1e-15)


def test_other_passes():
    station, when = Station(43.475, 87.177, 2000.0), datetime(2023, 7, 11, 16, 30, tzinfo=UTC)
    for elevation in (20.0, 63.9, 84.7):
        geometry = solve_pass(station, when, elevation, 200.0)
        time_s = np.linspace(0, 200, 2001)
        assert geometry.elevation_deg(time_s).max() == pytest.approx(elevation, abs=1e-3)


def test_an_impossible_pass_is_refused():
    with pytest.raises(ValueError, match="no orbit"):
        solve_pass(Station(88.0, 0.0), datetime(2023, 7, 11, tzinfo=UTC), 85.0, 200.0)
