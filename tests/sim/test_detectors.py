import numpy as np
import pytest

from keybeam_sim.clocks import ReceiverClock
from keybeam_sim.detectors import DeadTime, DetectorModel


def test_jitter_has_its_width_and_tail():
    generator = np.random.default_rng(11)
    plain = DetectorModel(tail_fraction=0.0).jitter(200_000, 0.0, generator)
    inside = np.count_nonzero(np.abs(plain) < 175) / plain.size
    # The full width at half maximum of a Gaussian holds erf(√ln 2) = 0.7610 of it.
    assert inside == pytest.approx(0.7610, abs=0.005)
    late = DetectorModel(tail_fraction=0.2, tail_ps=300.0).jitter(200_000, 0.0, generator)
    assert late.mean() == pytest.approx(60, abs=5)


def test_the_gate_passes_four_fifths():
    """800 ps, "ensuring a ~80 % gating efficiency" (arXiv:2408.10994)."""
    from keybeam_sim.source import PhotonSource

    jitter = DetectorModel().jitter(
        200_000, PhotonSource().pulse_fwhm_ps, np.random.default_rng(12)
    )
    centred = jitter - jitter.mean()
    assert np.count_nonzero(np.abs(centred) < 400) / jitter.size == pytest.approx(0.8, abs=0.02)


def test_dead_time_agrees_with_a_click_by_click_model():
    generator = np.random.default_rng(13)
    times = np.sort(generator.uniform(0, 3e5, 400))
    channels = generator.integers(0, 4, 400).astype(np.uint8)
    expected, last = [], [-1e9] * 4
    for time, channel in zip(times, channels, strict=True):
        alive = time - last[channel] >= 5000
        expected.append(alive)
        if alive:
            last[channel] = time
    dead = DeadTime(5000)
    parts = zip(np.split(times, [100, 101, 300]), np.split(channels, [100, 101, 300]), strict=True)
    kept = np.concatenate([dead.kept(part, ports) for part, ports in parts])
    assert kept.tolist() == expected
    assert 100 < kept.sum() < 300


def test_clock():
    clock = ReceiverClock(offset_s=2.0, rate=1e-6, drift_per_s=1e-8)
    shown = clock.show_ps(np.array([0.0, 1e12, 100e12]))
    np.testing.assert_allclose(shown, [2e12, 3e12 + 1.005e6, 102e12 + 1e8 + 5e7], rtol=1e-15)
