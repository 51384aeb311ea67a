import functools
import json
import statistics

import pytest

from keybeam.cli import main
from keybeam.key_length import studies
from keybeam.key_length.optimiser import optimise

BLOCK = ["--signal", "500000", "--decoy", "34375", "--vacuum", "3879", "--decoy-errors", "1878"]


def run(arguments, capsys):
    status = 0
    try:
        main(["keylength", *arguments])
    except SystemExit as stop:
        status = stop.code
    return status, capsys.readouterr()


def test_prints_the_result_as_json(capsys):
    status, output = run([*BLOCK, "--qber", "0.0101", "--efficiency", "1.2", "--json"], capsys)
    result = json.loads(output.out)
    assert status == 0
    assert result["analysis"] == "paper"
    assert result["length_bits"] == 107_392
    assert result["s1"] == pytest.approx(195_994.80, abs=0.005)
    assert result["e1"] == pytest.approx(0.031605, abs=5e-7)


def test_prints_a_table_by_default(capsys):
    status, output = run([*BLOCK, "--qber", "0.0101", "--efficiency", "1.2"], capsys)
    assert status == 0
    assert "107 392" in output.out


def test_the_composable_analysis_can_be_chosen(capsys):
    arguments = [*BLOCK, "--qber", "0.0101", "--efficiency", "1.2", "--analysis", "composable"]
    status, output = run(["block", *arguments, "--packets", "5", "--json"], capsys)
    result = json.loads(output.out)
    assert status == 0
    assert result["analysis"] == "composable"
    assert (result["secrecy"], result["correctness"]) == (1e-10, 1e-15)
    assert result["length_bits"] > 107_392
    status, output = run(arguments, capsys)
    assert status == 0
    assert "ε_sec" in output.out


@pytest.mark.parametrize(
    "arguments",
    [
        "one-decoy --signal 500000 --signal-errors 6000 --decoy 36000 --decoy-errors 1800 "
        "--leak 50000",
        "single-photon --clicks 500000 --errors 10000 --pulses 60000000 --mean-photons 0.5 "
        "--g2 0.02 --leak 80000",
    ],
)
def test_other_sources_have_commands_of_their_own(arguments, capsys):
    status, output = run([*arguments.split(), "--json"], capsys)
    assert status == 0
    assert 0 < json.loads(output.out)["length_bits"] < 450_000
    status, output = run([*arguments.split()[:-1], "499999"], capsys)
    assert status == 2
    assert "no key" in output.err


BIASED = [
    *["--key-basis-probability", "0.9", "--check-clicks", "6173", "424", "48"],
    *["--check-errors", "62", "23", "24"],
]


def test_one_basis_may_check_the_other(capsys):
    arguments = [*BLOCK, "--qber", "0.0101", "--leak", "50000", "--analysis", "composable"]
    _, both = run([*arguments, "--json"], capsys)
    status, biased = run([*arguments, *BIASED, "--json"], capsys)
    assert status == 0
    assert 0 < json.loads(biased.out)["length_bits"] < json.loads(both.out)["length_bits"]
    status, output = run([*arguments, *BIASED[:2]], capsys)
    assert status == 2
    assert "--check-clicks" in output.err


def test_compares_the_analyses_on_the_published_passes(capsys):
    status, output = run(["published", "--json"], capsys)
    result = json.loads(output.out)
    assert status == 0
    assert len(result["passes"]) == 18
    assert result["median_whole"] == statistics.median(
        row["whole"] / row["key_bits"] for row in result["passes"]
    )
    status, output = run(["published", "--efficiency", "1.1"], capsys)
    assert status == 0
    assert output.out.count("2023-") == 14


def test_holds_the_bounds_against_simulated_blocks(tmp_path, capsys):
    options = ["trial", "--blocks", "20", "--signal", "50000"]
    status, output = run([*options, "--plot", str(tmp_path / "trial.svg"), "--json"], capsys)
    assert status == 0
    assert {row["exceeded_of_key"] for row in json.loads(output.out)} == {0}
    assert "<svg" in (tmp_path / "trial.svg").read_text()
    status, output = run(options, capsys)
    assert status == 0
    assert "intercept-resend" in output.out


def test_searches_the_best_source(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(studies, "optimise", functools.partial(optimise, rounds=3))
    options = ["optimise", "--loss", "40"]
    status, output = run([*options, "--plot", str(tmp_path / "best.svg"), "--json"], capsys)
    (found,) = json.loads(output.out)
    assert status == 0
    assert found["key_bits"] >= found["reference_bits"] > 0
    assert "<svg" in (tmp_path / "best.svg").read_text()
    status, output = run(options, capsys)
    assert status == 0
    assert "gain" in output.out


def test_the_source_can_be_changed(capsys):
    source = ["--intensities", "0.6", "0.2", "0.0", "--probabilities", "0.6", "0.2", "0.2"]
    arguments = [*BLOCK, "--qber", "0.01", "--leak", "0", "--xi", "1e-12", "--json"]
    _, plain = run(arguments, capsys)
    status, changed = run([*arguments, *source], capsys)
    assert status == 0
    assert json.loads(changed.out)["s1"] != json.loads(plain.out)["s1"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([*BLOCK, "--qber", "0.01"], "--leak"),
        ([*BLOCK, "--qber", "0.01", "--leak", "1", "--efficiency", "1.2"], "--leak"),
        ([*BLOCK, "--qber", "0.7", "--leak", "1"], "--qber"),
        ([*BLOCK, "--qber", "nan", "--leak", "1"], "qber"),
        (["--signal", "-1", *BLOCK[2:], "--qber", "0.01", "--leak", "1"], "--signal"),
        ([*BLOCK[:-1], "34376", "--qber", "0.01", "--leak", "1"], "decoy_errors"),
        ([*BLOCK, "--qber", "0.01", "--leak", "1", "--analysis", "none"], "--analysis"),
        ([*BLOCK, "--qber", "0.01", "--leak", "1", "--xi", "0"], "--xi"),
        ([*BLOCK, "--qber", "0.2", "--leak", "1", "--analysis", "composable"], "error rate"),
        ([*BLOCK, "--qber", "0.01", "--leak", "499999", "--analysis", "composable"], "no key"),
    ],
)
def test_wrong_values_end_with_status_two_and_name_the_option(arguments, named, capsys):
    status, output = run(arguments, capsys)
    assert status == 2
    assert named in output.err
    assert "Traceback" not in output.err
