from dataclasses import replace

import numpy as np
import pytest

from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.symbols import basis_of, bit_of, intensity_of
from keybeam.timing import PulseIndexer, RecordDecoder, gate
from keybeam_sim.detectors import DetectorModel
from keybeam_sim.scenario import PassScenario
from keybeam_sim.source import PhotonSource
from keybeam_sim.twin import PassSimulation, TwinSettings

FAST = PassScenario(duration_s=1.0)


def run(scenario, settings=None, first_frame=0, stop_after=0):
    simulation = PassSimulation(scenario, settings or TwinSettings())
    simulation.start(first_frame, stop_after)
    parts = []
    while not simulation.over:
        parts.append(simulation.advance())
    return simulation, np.concatenate(parts)


def clicks_of(records, indexer):
    decoder = RecordDecoder()
    clicks = [indexer.feed(decoder.feed(records)), indexer.feed(decoder.finish()), indexer.finish()]
    assert decoder.stray == 0
    return np.concatenate(clicks)


def test_every_click_of_a_noiseless_pass_has_its_pulse():
    """No background, no misalignment: any wrong bit of the same basis is a wrong pulse index."""
    scenario = replace(
        FAST,
        duration_s=4.0,
        detectors=DetectorModel(background_hz=0.0, jitter_fwhm_ps=200.0, tail_fraction=0.0),
        source=PhotonSource(contrast_db=200.0, pulse_fwhm_ps=200.0),
    )
    simulation, records = run(scenario, first_frame=900)
    indexer = PulseIndexer()
    clicks = clicks_of(records, indexer)
    assert clicks.size == simulation.clicks > 50_000
    status, symbols = simulation.lookup(clicks["index"])
    assert (status == LookupStatus.FOUND).all()
    assert not (intensity_of(symbols) == 3).any()
    same = basis_of(symbols) == basis_of(clicks["channel"])
    assert same.mean() == pytest.approx(0.5, abs=0.02)
    np.testing.assert_array_equal(bit_of(symbols)[same], bit_of(clicks["channel"])[same])
    assert abs(clicks["phase_ps"].mean()) < 5


def test_error_rate_of_the_default_pass():
    simulation, records = run(replace(FAST, duration_s=6.0))
    clicks = gate(clicks_of(records, PulseIndexer()))
    _, symbols = simulation.lookup(clicks["index"])
    signal = (basis_of(symbols) == basis_of(clicks["channel"])) & (intensity_of(symbols) == 0)
    errors = bit_of(symbols)[signal] != bit_of(clicks["channel"])[signal]
    # At culmination: 0.32 % misalignment and about 0.4 % from background.
    assert 0.005 < errors.mean() < 0.01


def test_equal_scenarios_give_equal_records():
    _, records = run(FAST)
    np.testing.assert_array_equal(records, run(FAST)[1])
    assert not np.array_equal(records, run(replace(FAST, seed=2))[1])


def test_stop_and_tail():
    simulation, records = run(FAST, TwinSettings(tail_frames=100), 50, stop_after=700)
    assert simulation.finished
    assert simulation.advance().size == 0
    syncs = RecordDecoder().feed(records).syncs
    assert syncs["counter"].tolist() == list(range(50, 50 + 800))
    assert syncs["flags"].tolist() == [1] * 700 + [0] * 100
    indexer = PulseIndexer()
    clicks = clicks_of(records, indexer)
    assert clicks["index"].max() < (50 + 700) * FRAME_SLOTS
    assert indexer.statistics.not_key > 0


def test_state_log_forgets():
    simulation = PassSimulation(FAST, TwinSettings(log_frames=300))
    assert simulation.lookup(np.array([5], np.uint64))[0] == LookupStatus.TOO_NEW
    simulation.start(1000)
    simulation.advance()
    now = simulation.sending_frame
    # 840 km are 2.8 ms or 27 frames.
    assert 1512 + 25 < now < 1512 + 30
    frames = np.array([999, now - 301, now - 300, now - 1, now], np.uint64)
    status, symbols = simulation.lookup(frames * np.uint64(FRAME_SLOTS))
    old, found, new = LookupStatus.TOO_OLD, LookupStatus.FOUND, LookupStatus.TOO_NEW
    assert status.tolist() == [old, old, found, found, new]
    assert symbols[0] == symbols[-1] == 0
