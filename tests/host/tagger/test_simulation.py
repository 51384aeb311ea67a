import json

import numpy as np
import pytest
from click.testing import CliRunner

from keybeam.tagger import (
    LINE_TIMINGS,
    CalibrationError,
    LineTiming,
    Noise,
    TaggerModel,
    calibrate,
    simulate,
)
from keybeam.tagger.command import tagger
from keybeam.tagger.simulation import count_codes, measure

NONE = Noise(0, 0, 0, 0)


def model(timing=LINE_TIMINGS["8"], *, chains=1, noise=None, slices=192, seed=1):
    rng = np.random.default_rng(seed)
    return TaggerModel(timing, chains=chains, noise=noise or Noise(), rng=rng, slices=slices)


def test_without_noise_the_error_is_that_of_even_bins():
    even = LineTiming(50, 0, 25)
    channel = model(even, noise=NONE)
    rng = np.random.default_rng(2)
    table = calibrate(count_codes(channel, 200_000, rng), chains=1)
    errors, _, lost = measure(channel, table, 20_000, rng)
    assert lost == 0
    # Uniform over 25 ps; the calibration adds up to 7 ps at the middle of the period.
    assert errors.std() == pytest.approx(np.hypot(25 / np.sqrt(12), 4), abs=2)


def test_clock_jitter_adds_in_squares():
    rms = [
        simulate(
            "8_5G", chains=2, noise=Noise(0, clock, 0.1, 6), counts=100_000, shots=10_000, seed=3
        ).rms_ps
        for clock in (0, 30)
    ]
    assert rms[1] == pytest.approx(np.hypot(rms[0], 30), rel=0.05)


def test_two_lines_are_better_than_one_and_the_goals_are_reached():
    one, two = (
        simulate("8", chains=chains, noise=Noise(), counts=200_000, shots=15_000, seed=4)
        for chains in (1, 2)
    )
    assert two.rms_ps < one.rms_ps < 25
    assert two.rms_ps < 15
    assert one.lost == two.lost == 0


def test_a_drift_of_two_percent_is_corrected_to_10_ps():
    channel = model(chains=2, seed=5)
    rng = np.random.default_rng(6)
    table = calibrate(count_codes(channel, 300_000, rng), chains=2)
    warm = channel.drifted(1.02)

    def spread(table):
        errors, ages, _ = measure(warm, table, 30_000, rng)
        part = (ages / 400).astype(int)
        means = np.array([errors[part == each].mean() for each in range(16)])
        return np.abs(means - means.mean()).max()

    assert spread(table) > 40
    assert spread(table.scaled(1.02)) < 10


def test_a_line_shorter_than_a_period_is_noticed():
    channel = model(slices=120)
    rng = np.random.default_rng(7)
    with pytest.raises(CalibrationError, match="needs more slices"):
        calibrate(count_codes(channel, 60_000, rng), chains=1, taps=240)


def test_the_command_prints_and_writes_the_same_figures(tmp_path):
    arguments = ["simulate", "--counts", "50000", "--shots", "5000", "--out", str(tmp_path)]
    printed = CliRunner().invoke(tagger, [*arguments, "--json"], catch_exceptions=False)
    report = json.loads(printed.stdout)
    assert json.loads((tmp_path / "tagger.json").read_text()) == report
    assert [channel["lines"] for channel in report["channels"]] == [1, 2]
    assert "<svg" in (tmp_path / "tagger.svg").read_text()
    table = CliRunner().invoke(tagger, arguments, catch_exceptions=False).stdout
    assert f"{report['channels'][0]['rms_ps']:.1f}" in table


def test_noise_that_makes_no_sense_is_a_usage_error():
    outcome = CliRunner().invoke(tagger, ["simulate", "--clock", "-1"])
    assert outcome.exit_code == 2
    assert "clock_ps must be at least 0" in outcome.stderr
