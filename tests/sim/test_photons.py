"""Statistics of the drawn clicks against the models; limits are five standard deviations."""

from dataclasses import replace

import numpy as np
import pytest

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_DURATION_PS, FRAME_SLOTS, PULSE_RATE_HZ, SLOT_PS
from keybeam.protocol.symbols import Intensity, basis_of, bit_of, intensity_of
from keybeam_sim.clocks import ReceiverClock
from keybeam_sim.detectors import DetectorModel
from keybeam_sim.link import Fading
from keybeam_sim.photons import BLOCK_FRAMES, ClickGenerator
from keybeam_sim.scenario import PassScenario

QUIET = DetectorModel(background_hz=0.0, dead_time_ps=0.0, tail_fraction=0.0)
STEADY = Fading(log_sigma=0.0)


def draw(scenario, blocks, first_frame=0, skip=0):
    generator = ClickGenerator(scenario, first_frame)
    generator.frames = skip
    parts = [generator.advance() for _ in range(blocks)]
    return generator, parts


def close(found, expected):
    assert found == pytest.approx(expected, abs=5 * np.sqrt(expected) + 1)


def test_background_alone():
    scenario = PassScenario(detectors=replace(QUIET, background_hz=40_000.0))
    generator = ClickGenerator(scenario)
    parts = [generator.advance(flags=FrameFlag(0)) for _ in range(20)]
    times = np.concatenate([part.times_ps for part in parts])
    channels = np.concatenate([part.channels for part in parts])
    seconds = (parts[-1].until_ps - times[0]) * 1e-12
    close(times.size, 40_000 * seconds)
    for channel in range(4):
        close(np.count_nonzero(channels == channel), 10_000 * seconds)
    assert (np.diff(times) >= 0).all()


@pytest.fixture(scope="module")
def bright():
    """Clicks of a short, bright stretch, with the true pulse of each."""
    scenario = PassScenario(
        seed=5,
        duration_s=60.0,
        detectors=replace(QUIET, jitter_fwhm_ps=50.0),
        fading=STEADY,
        link=replace(PassScenario().link, excess_loss_db=-10.0),
        source=replace(PassScenario().source, pulse_fwhm_ps=50.0, contrast_db=13.0),
    )
    generator, parts = draw(scenario, 12, first_frame=1000)
    times = np.concatenate([part.times_ps for part in parts])
    channels = np.concatenate([part.channels for part in parts])
    # Invert delay and clock: the true time of sending, by Newton's method on the smooth map.
    sent = times - times[0]
    for _ in range(6):
        middle = sent * 1e-12
        delay = scenario.geometry.delay_s(middle) * 1e12
        sent += times - scenario.clock.show_ps(sent + delay)
    slots = np.floor(sent / SLOT_PS).astype(np.uint64)
    symbols = generator.symbols.symbols(slots + np.uint64(1000 * FRAME_SLOTS))
    return scenario, generator.frames, symbols, channels, sent


def test_clicks_lie_in_their_pulses(bright):
    *_, sent = bright
    phase = sent % SLOT_PS - SLOT_PS / 2
    assert np.abs(phase).max() < 200
    assert phase.std() == pytest.approx(np.hypot(50, 50) / 2.3548, rel=0.02)


def test_every_intensity_has_its_yield(bright):
    scenario, frames, symbols, _, _ = bright
    time_s = np.arange(0, frames, 8) * FRAME_DURATION_PS * 1e-12
    pulses = frames * FRAME_SLOTS
    efficiency = scenario.efficiency(time_s).mean()
    shares = {Intensity.SIGNAL: 0.5, Intensity.DECOY: 0.25, Intensity.VACUUM: 0.25}
    for intensity, share in shares.items():
        expected = pulses * share * scenario.source.mean_photons[intensity] * efficiency
        close(np.count_nonzero(intensity_of(symbols) == intensity), expected)


def test_bases_are_chosen_evenly_and_errors_follow_from_the_contrast(bright):
    scenario, _, symbols, channels, _ = bright
    same = basis_of(symbols) == basis_of(channels)
    close(np.count_nonzero(same), same.size / 2)
    wrong = bit_of(symbols) != bit_of(channels)
    assert scenario.source.misalignment == pytest.approx(0.05, rel=0.01)
    close(np.count_nonzero(wrong & same), np.count_nonzero(same) * scenario.source.misalignment)
    close(np.count_nonzero(wrong & ~same), np.count_nonzero(~same) / 2)


def test_sync_words_mark_the_first_slot():
    scenario = PassScenario(duration_s=30.0, sync_fwhm_ps=0.0, clock=ReceiverClock(drift_per_s=0))
    _, (arrivals,) = draw(scenario, 1, first_frame=77)
    syncs = arrivals.syncs
    assert syncs["counter"].tolist() == list(range(77, 77 + BLOCK_FRAMES))
    sent_s = np.arange(BLOCK_FRAMES) * FRAME_DURATION_PS * 1e-12
    delay = scenario.geometry.delay_s(sent_s)
    expected = scenario.clock.show_ps((sent_s + delay) * 1e12)
    np.testing.assert_allclose(syncs["time_ps"], expected, rtol=0, atol=0.1)


def test_blocks_join_without_seam():
    scenario = PassScenario(seed=9, duration_s=20.0)
    _, parts = draw(scenario, 30)
    bound = 0.0
    for part in parts:
        assert (part.times_ps >= bound).all()
        assert (part.times_ps < part.until_ps).all()
        assert (part.syncs["time_ps"] >= bound).all()
        assert (part.syncs["time_ps"] < part.until_ps).all()
        bound = part.until_ps
    gaps = np.diff(np.concatenate([part.syncs["time_ps"] for part in parts]))
    np.testing.assert_allclose(gaps, FRAME_DURATION_PS, atol=3_000)


def test_the_default_pass_is_that_of_the_paper():
    """About 16 k gated clicks a second for 20 packets in 300 s (arXiv:2408.10994, Fig. 4)."""
    profile = PassScenario().profile()
    background = PassScenario().detectors.background_hz
    photons = np.trapezoid(profile.rate_hz - background, profile.time_s)
    gated = (0.795 * photons + 0.5 * background * 300) / 300
    assert gated == pytest.approx(16_000, rel=0.05)
    signal = 0.795 * photons * 0.5 * 0.8 / PassScenario().source.average
    assert 20 < signal / 2 * 0.9 / 100_000 < 24
    assert profile.elevation_deg.max() == pytest.approx(34.1, abs=0.01)
    assert profile.loss_db.min() > 35


def test_rate_follows_the_profile():
    scenario = PassScenario(seed=2, fading=STEADY)
    skip = round(100e12 / FRAME_DURATION_PS)
    _, parts = draw(scenario, 40, skip=skip)
    clicks = sum(part.times_ps.size for part in parts[1:])
    seconds = (parts[-1].until_ps - parts[0].until_ps) * 1e-12
    expected = np.interp(100 + seconds / 2, scenario.profile().time_s, scenario.profile().rate_hz)
    close(clicks, expected * seconds)
    assert expected < PULSE_RATE_HZ / 1000


def test_seeds_repeat_and_differ():
    def clicks(seed):
        _, parts = draw(PassScenario(seed=seed, duration_s=10.0), 4)
        return np.concatenate([part.times_ps for part in parts])

    np.testing.assert_array_equal(clicks(4), clicks(4))
    assert not np.isin(clicks(4), clicks(6)).any()
