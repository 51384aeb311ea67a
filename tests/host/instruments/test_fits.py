import numpy as np
import pytest

from keybeam.instruments import MeasurementError
from keybeam.instruments.fits import fit_raised_cosine, fit_threshold
from keybeam.instruments.kinds import Trace
from keybeam.instruments.routines.pulses import analyse_pulses


@pytest.mark.parametrize("half_wave", [1.5, 3.85, 7.0])
def test_a_transfer_curve_is_found(half_wave):
    rng = np.random.default_rng(1)
    voltage = np.linspace(-5, 5, 33)
    true = 4.0 + 3.0 * np.cos(np.pi * (voltage - 0.7) / half_wave)
    curve = fit_raised_cosine(voltage, true + 0.01 * rng.standard_normal(33))
    assert curve.half_wave == pytest.approx(half_wave, abs=5 * curve.half_wave_uncertainty)
    assert 0 < curve.half_wave_uncertainty < 0.02
    assert curve.nearest(0.0, 0.0) == pytest.approx(0.7, abs=0.02)
    assert abs(curve.nearest(1.0, 0.0)) <= half_wave


def test_what_is_no_transfer_curve_is_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(MeasurementError, match="flat"):
        fit_raised_cosine([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1])
    with pytest.raises(MeasurementError, match="no raised cosine"):
        fit_raised_cosine(np.arange(40), rng.standard_normal(40))


def test_a_threshold_is_found():
    rng = np.random.default_rng(1)
    current = np.linspace(0, 30e-3, 25)
    power = 0.4 * np.maximum(current - 16e-3, 0) + 1e-6 * rng.standard_normal(25)
    line = fit_threshold(current, power)
    assert line.threshold == pytest.approx(16e-3, abs=5 * line.threshold_uncertainty)
    assert line.threshold_uncertainty < 2e-5
    assert line.slope == pytest.approx(0.4, rel=0.01)
    with pytest.raises(MeasurementError, match="above the threshold"):
        fit_threshold(current, np.zeros(25))


def pulses(jitter_s, noise_v=0.0, count=250, skip=None):
    """Gaussian pulses of 60 ps at 625 MHz, sampled at 80 GSa/s."""
    rng = np.random.default_rng(2)
    time = np.arange(count * 128) * 12.5e-12
    voltage = noise_v * rng.standard_normal(time.size)
    sigma = 60e-12 / np.sqrt(8 * np.log(2))
    for number, late in enumerate(jitter_s * rng.standard_normal(count)):
        if number != skip:
            near = slice(max(number * 128, 0), (number + 1) * 128)
            at = time[near] - number * 1.6e-9 - 700e-12 - late
            voltage[near] += 0.3 * np.exp(-0.5 * (at / sigma) ** 2)
    return Trace(0.0, 12.5e-12, voltage)


def test_width_place_and_jitter_of_pulses():
    train = analyse_pulses(pulses(8e-12), 625e6)
    assert train.width_s == pytest.approx(60e-12, rel=0.02)
    assert train.middle_s == pytest.approx(700e-12, abs=2e-12)
    assert train.jitter_s == pytest.approx(8e-12, abs=4 * train.jitter_uncertainty_s)
    assert train.rate_hz == pytest.approx(625e6, rel=1e-5)


def test_the_oscilloscopes_noise_is_taken_off():
    noisy = analyse_pulses(pulses(8e-12, noise_v=0.01), 625e6)
    assert noisy.noise_jitter_s > 1e-12
    assert noisy.jitter_s == pytest.approx(8e-12, abs=4 * noisy.jitter_uncertainty_s)


def test_what_are_no_pulses_is_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(MeasurementError, match="noise"):
        analyse_pulses(Trace(0.0, 12.5e-12, 0.01 * rng.standard_normal(20_000)), 625e6)
    with pytest.raises(MeasurementError, match="not one pulse in each period"):
        analyse_pulses(pulses(1e-12, skip=100), 625e6)
    with pytest.raises(MeasurementError, match="too few"):
        analyse_pulses(pulses(1e-12, count=6), 625e6)
