"""Every routine down through PyVISA to the simulated bench, against what the bench knows."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from keybeam.instruments import MeasurementError, StationError, open_station
from keybeam.instruments.routines import ROUTINES, Rig, laser, save_outcome
from keybeam.instruments.stokes import STATES
from keybeam.transmitter.calibration_file import load_calibration, new_calibration
from keybeam_sim.laboratory.bench import DRIVER_A_PER_V


@pytest.fixture(scope="module")
def run(station, tmp_path_factory):
    """Run a routine with all that was found before; give its outcome and the calibration."""
    folder = tmp_path_factory.mktemp("out")
    file = folder / "calibration.json"

    def run(name, measure=None):
        routine = ROUTINES[name]
        known = load_calibration(file) if file.exists() else new_calibration("test")
        with open_station(station, routine.needed, routine.useful) as opened:
            outcome = (measure or routine.measure)(Rig(opened, known, lambda *_: None))
        files = save_outcome(outcome, folder, file, "test")
        assert files.plot.read_text().lstrip().startswith("<?xml")
        content = msgspec.json.decode(files.data.read_bytes())
        assert (content["routine"], content["figures"]) == (
            name,
            msgspec.json.decode(msgspec.json.encode(outcome.figures())),
        )
        return outcome, load_calibration(file)

    return run


@pytest.fixture(scope="module")
def calibrated(run):
    """Run the routines that others build on."""
    return {
        "laser": run("laser", lambda rig: laser.measure_laser(rig, points=4)),
        "modulator": run("modulator"),
    }


def test_threshold_and_working_point(calibrated, laboratory):
    outcome, known = calibrated["laser"]
    true = laboratory.bench.laser
    assert outcome.line.threshold == pytest.approx(true.threshold_a(), rel=0.01)
    found = known.laser
    assert found.bias_a < 0.96 * true.threshold_a()
    width = true_width_s(true, found.bias_a, found.trigger_level_v)
    assert found.pulse_width_s == pytest.approx(width, rel=0.2)
    assert 2e-12 < found.jitter_s < 15e-12


def true_width_s(diode, bias_a, level_v):
    """FWHM of the pulses that the rate equations give."""
    pulses = diode.pulses_w(bias_a, DRIVER_A_PER_V * level_v, 25.0)
    return 1e-12 * np.median((pulses > pulses.max(axis=1, keepdims=True) / 2).sum(axis=1))


def test_the_scan_follows_the_rate_equations_in_bias_and_drive(calibrated, laboratory):
    outcome, known = calibrated["laser"]
    rows = outcome.data()["width_s"]
    assert (len(rows), {len(row) for row in rows}) == (len(outcome.levels_v), {4})
    seen = [
        (level, bias, width)
        for level, row in zip(outcome.levels_v, rows, strict=True)
        for bias, width in zip(outcome.bias_a, row, strict=True)
        if width is not None
    ]
    assert len({level for level, _, _ in seen}) > 1
    for level, bias, width in seen:
        assert width == pytest.approx(true_width_s(laboratory.bench.laser, bias, level), rel=0.2)
    # Nothing of the scan is better known in time than the working point.
    spread = math.hypot(known.laser.jitter_s, known.laser.pulse_width_s / 2.3548)
    trains = [train for row in outcome.trains for train in row if train is not None]
    best = min(math.hypot(train.jitter_s, train.width_s / 2.3548) for train in trains)
    assert spread == pytest.approx(best)


def test_half_wave_voltages_and_extinction(calibrated, laboratory):
    outcome, known = calibrated["modulator"]
    true = laboratory.bench.modulator
    assert outcome.drive_curve.half_wave == pytest.approx(true.drive_half_wave_v, rel=5e-3)
    # Charges creep in behind the bias while it is swept.
    assert outcome.bias_curve.half_wave == pytest.approx(true.bias_half_wave_v, rel=0.03)
    assert known.modulator.extinction_db.value == pytest.approx(true.extinction_db, abs=0.3)
    assert [goal.is_met for goal in outcome.goals()] == [True]


def test_photon_numbers_lie_in_their_intervals(calibrated, run, laboratory, station):
    _, known = run("photon-numbers")
    bench, found = laboratory.bench, known.intensity
    controls = bench.controls
    controls.laser_on, controls.shutter_open = True, True
    controls.bias_a, controls.trigger_v = known.laser.bias_a, known.laser.trigger_level_v
    controls.attenuation_db, controls.bias_v = found.attenuation_db, known.modulator.null_bias_v
    try:
        for name, wanted in (("signal", 0.8), ("decoy", 0.1), ("vacuum", 0.001)):
            controls.drive_v = known.modulator.levels_v[name]
            energy = 1.98644586e-25 / 850e-9
            true = bench.metered_power_w() / bench.rate_hz / energy
            quantity = found.mean_photons[name]
            assert quantity.value == pytest.approx(wanted, rel=0.02)
            assert abs(true - quantity.value) < 2.5 * quantity.uncertainty
    finally:
        controls.laser_on = controls.shutter_open = False
    assert found.pulse_rate_hz.value == pytest.approx(bench.rate_hz, rel=1e-6)
    assert found.wavelength_nm.value == pytest.approx(850, abs=0.1)


def test_the_fibre_is_compensated_to_the_wanted_contrast(calibrated, run, laboratory):
    outcome, known = run("compensation")
    bench = laboratory.bench
    assert outcome.curve.half_wave == pytest.approx(bench.polarisation.half_wave_v, rel=5e-3)
    contrasts, known = run("polarisation")
    assert all(goal.is_met for goal in contrasts.goals())
    assert set(known.polarisation.contrast_db) == set(STATES)
    # By Jones calculus with the true angles of the mounts' plates.
    names = ("quarter-wave-1", "quarter-wave-2", "half-wave")
    for state, level in known.polarisation.levels_v.items():
        light = bench.fibre @ bench.polarisation.field(level)
        for plate, name in zip(bench.plates, names, strict=True):
            light = plate.matrix(known.polarisation.plates_deg[name] + plate.zero_deg) @ light
        angle = {"H": 0, "V": 90, "D": 45, "A": 135}[state]
        axis = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
        assert 1 - abs(axis @ light) ** 2 < 10**-2.5


def test_contrast_without_compensation_is_refused(station):
    routine = ROUTINES["polarisation"]
    with (
        pytest.raises(MeasurementError, match="measure compensation"),
        open_station(station, routine.needed) as opened,
    ):
        routine.measure(Rig(opened, new_calibration("x"), lambda *_: None))


def test_the_pulse_is_brought_to_the_middle_of_its_slot(calibrated, run, laboratory, monkeypatch):
    outcome, known = run("pulse")
    lane = known.pulse.lanes["0"]
    assert 0 <= lane.fine_delay < 128
    moved = laboratory.bench.pulse_offset_s + 25e-12 * lane.fine_delay
    monkeypatch.setattr(laboratory.bench, "pulse_offset_s", moved % 1.6e-9)
    again, _ = run("pulse")
    assert again.train.middle_s == pytest.approx(0.8e-9, abs=20e-12)
    assert outcome.train.rate_hz == pytest.approx(625e6, rel=1e-4)


def test_the_spectrum(calibrated, run, laboratory):
    outcome, _ = run("spectrum")
    figures = outcome.figures()["spectrum"]
    assert figures["centre of the line, nm"] == pytest.approx(850, abs=0.1)
    assert 0.1 < figures["width (FWHM), nm"] < 0.2
    assert figures["side-mode suppression, dB"] > 20


def test_everything_is_off_afterwards(calibrated, laboratory):
    controls = laboratory.bench.controls
    assert not controls.laser_on
    assert not controls.shutter_open
    assert controls.bias_v == controls.drive_v == controls.trigger_v == 0


def test_everything_is_off_after_an_error_too(station, laboratory):
    routine = ROUTINES["modulator"]
    with (
        pytest.raises(ZeroDivisionError),
        open_station(station, routine.needed) as opened,
    ):
        rig = Rig(opened, new_calibration("x"), lambda *_: None)
        rig.switch_on_laser()
        rig.open_path()
        assert laboratory.bench.controls.laser_on
        raise ZeroDivisionError
    assert not laboratory.bench.controls.laser_on
    assert not laboratory.bench.controls.shutter_open


def test_a_modulator_without_light_is_told(station, laboratory, monkeypatch):
    monkeypatch.setattr(laboratory.bench, "laser_power_w", lambda: 0.0)
    routine = ROUTINES["modulator"]
    with (
        pytest.raises(MeasurementError),
        open_station(station, routine.needed) as opened,
    ):
        routine.measure(Rig(opened, new_calibration("x"), lambda *_: None))


def test_all_missing_instruments_are_named(station):
    entries = {k: v for k, v in station.entries.items() if k not in ("analyser", "attenuator")}
    with (
        pytest.raises(StationError, match="has no attenuator, analyser"),
        open_station(replace(station, entries=entries), ROUTINES["polarisation"].needed),
    ):
        pass
