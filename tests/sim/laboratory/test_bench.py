"""The physics of the bench against what is known of it without its code."""

import math

import numpy as np
import pytest

from keybeam_sim.laboratory import Bench
from keybeam_sim.laboratory.laser import LaserDiode
from keybeam_sim.laboratory.modulators import IntensityModulator
from keybeam_sim.laboratory.polarisation import random_unitary


def test_the_laser_emits_its_slope_efficiency_above_threshold():
    diode = LaserDiode()
    threshold = diode.threshold_a()
    low, high = (diode.steady_power_w(threshold + extra, 25.0) for extra in (5e-3, 10e-3))
    # Each carrier beyond the threshold makes one photon: h ν / e watts an ampere.
    photon_v = 1.239842 / 0.85
    assert (high - low) / 5e-3 == pytest.approx(diode.efficiency * photon_v, rel=0.03)
    assert diode.steady_power_w(0.9 * threshold, 25.0) < 0.01 * low
    assert diode.threshold_a(45.0) > threshold


def test_gain_switched_pulses_are_short_late_and_jitter():
    diode = LaserDiode()
    pulses = diode.pulses_w(9e-3, 54e-3, 25.0)
    peaks = pulses.argmax(axis=1)
    widths = (pulses > pulses.max(axis=1, keepdims=True) / 2).sum(axis=1)
    assert 30 < np.median(widths) < 100
    # Light needs time to build up behind the trigger's middle at 500 ps.
    assert 520 < peaks.mean() < 700
    assert 2 < peaks.std() < 15
    # Between pulses the light dies.
    assert pulses[:, -200:].max() < 1e-3 * pulses.max()
    # More carriers before the trigger: earlier pulses.
    assert diode.pulses_w(13e-3, 54e-3, 25.0).argmax(axis=1).mean() < peaks.mean()


def test_photons_do_not_exceed_the_carriers_that_were_pumped():
    diode = LaserDiode()
    mean_a = 9e-3 + 54e-3 * 220e-12 * math.sqrt(math.pi / (4 * math.log(2))) / 1.6e-9
    energy_v = 1.239842 / 0.85
    mean_w = diode.mean_power_w(9e-3, 54e-3, 25.0)
    assert 0.1 * mean_a * energy_v < mean_w / diode.efficiency < mean_a * energy_v


def test_the_modulators_extinction_period_and_drift():
    modulator = IntensityModulator(phase_rad=0.0)
    most, least = modulator.transmission(0.0, 0.0), modulator.transmission(3.85, 0.0)
    assert 10 * math.log10(most / least) == pytest.approx(31.5)
    assert 10 * math.log10(most) == pytest.approx(-4.0)
    assert modulator.transmission(7.7, 0.0) == pytest.approx(most)
    assert modulator.transmission(0.0, 5.2) == pytest.approx(least)
    rng = np.random.default_rng(1)
    for _ in range(1000):
        modulator.advance(10.0, 0.0, rng)
    assert modulator.transmission(3.85, 0.0) > 1.001 * least


def test_fibres_are_spread_evenly_over_the_sphere():
    rng = np.random.default_rng(1)
    images = np.array([random_unitary(rng)[:, 0] for _ in range(4000)])
    # The part of the power that stays in H is uniform from 0 to 1.
    kept = np.sort(np.abs(images[:, 0]) ** 2)
    assert np.abs(kept - np.linspace(0, 1, 4000)).max() < 0.03


def test_light_passes_only_where_it_can():
    bench = Bench(3)
    controls = bench.controls
    assert bench.metered_power_w() == 0
    controls.laser_on, controls.bias_a, controls.shutter_open = True, 25e-3, True
    light = bench.metered_power_w()
    controls.attenuation_db = 10.0
    assert 10 * math.log10(light / bench.metered_power_w()) == pytest.approx(10, abs=0.05)
    controls.shutter_open = False
    assert bench.metered_power_w() == bench.analysed_power_w() == 0
