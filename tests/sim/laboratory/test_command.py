import json
import re
import signal
import subprocess
import sys

import click
import pytest

from keybeam.cli import main
from keybeam.instruments import read_station
from keybeam.instruments.command import instruments
from keybeam.instruments.measure_command import measure


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main([*map(str, words)])
        sys.exit(0)
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def test_identify_names_every_instrument(capsys, station):
    status, out, _ = run(capsys, "instruments", "identify", station.path, "--json")
    rows = json.loads(out)
    assert status == 0
    assert [row["name"] for row in rows] == list(station.entries)
    assert {row["problem"] for row in rows} == {None}
    assert rows[0]["answer"] == "Thorlabs ITC4001"


def test_identify_tells_what_does_not_answer_and_goes_on(capsys, station, tmp_path):
    path = tmp_path / "station.toml"
    place = station.entries["laser"].resource
    path.write_text(station.path.read_text().replace(place, "TCPIP::127.0.0.1::1::SOCKET"))
    status, out, err = run(capsys, "instruments", "identify", path)
    assert status == 1
    assert "laser: TCPIP::127.0.0.1::1::SOCKET" in err
    assert "AQ6370D" in out


def test_list_and_models(capsys, station):
    status, out, _ = run(capsys, "instruments", "list", station.path, "--json")
    assert (status, len(json.loads(out))) == (0, 15)
    status, out, _ = run(capsys, "instruments", "models", "--json")
    assert status == 0
    assert {"thorlabs-pm100d", "keysight-infiniium"} <= {row["model"] for row in json.loads(out)}


def test_a_routine_writes_its_files_and_says_where(capsys, station, tmp_path):
    out = tmp_path / "results"
    words = ("instruments", "measure", "spectrum", station.path, "--out", out)
    status, printed, _ = run(capsys, *words, "--json")
    result = json.loads(printed)["spectrum"]
    assert status == 0
    assert result["figures"]["spectrum"]["centre of the line, nm"] == pytest.approx(850, abs=0.1)
    assert sorted(path.name for path in out.iterdir()) == [
        "calibration.json", "spectrum.json", "spectrum.svg",
    ]  # fmt: skip
    status, printed, _ = run(capsys, "tx", "calibration", "show", out / "calibration.json")
    assert status == 0


def test_what_must_come_first_is_said_in_one_line(capsys, station, tmp_path):
    words = ("instruments", "measure", "photon-numbers", station.path, "--out", tmp_path)
    status, _, err = run(capsys, *words)
    assert status == 2
    assert "measure modulator" in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_safe_switches_everything_off(capsys, station, laboratory):
    controls = laboratory.bench.controls
    controls.laser_on, controls.shutter_open = True, True
    status, _, _ = run(capsys, "instruments", "safe", station.path)
    assert status == 0
    assert not controls.laser_on
    assert not controls.shutter_open


def test_the_laboratory_runs_until_it_is_interrupted(tmp_path):
    path = tmp_path / "station.toml"
    words = [sys.executable, "-m", "keybeam", "laboratory", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith(f"{path} names the simulated instruments")
        assert len(read_station(path).entries) == 15
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    again = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_a_missed_goal_is_status_1_and_everything_is_written(
    capsys, station, laboratory, tmp_path, monkeypatch
):
    monkeypatch.setattr(laboratory.bench.modulator, "extinction_db", 24.0)
    words = ("instruments", "measure", "modulator", station.path, "--out", tmp_path, "--json")
    status, printed, _ = run(capsys, *words)
    (goal,) = json.loads(printed)["modulator"]["goals"]
    assert (status, goal["met"], goal["wanted"]) == (1, False, 29.0)
    assert goal["measured"] == pytest.approx(24, abs=0.3)
    assert (tmp_path / "modulator.svg").exists()


def test_every_command_has_an_example():
    for group, path in ((instruments, "instruments"), (measure, "instruments measure")):
        for name, command in group.commands.items():
            text = command.get_help(click.Context(command, info_name=name))
            assert re.search(rf"Example:\n +keybeam {path} {name}\b", text), name
