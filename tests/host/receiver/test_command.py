"""`keybeam rx` as a user types it, on a receiver that is nothing but its registers."""

import json
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from keybeam.receiver import calibration_command, command, gate_command, load_calibration


@pytest.fixture
def run(registers, monkeypatch):
    """Run a command on a receiver of its own; gives the result, and keeps the receiver."""

    def on(board, *words):
        for module in (command, calibration_command, gate_command):
            monkeypatch.setattr(module, "Receiver", lambda _port: nullcontext(board))
        return CliRunner().invoke(
            command.rx, [*map(str, words), "--port", "x"], catch_exceptions=True
        )

    return on


def found(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_settings(run, registers):
    board = registers()
    (row,) = found(run(board, "channels", "v", "--delay", "-1250", "--edge", "both", "--json"))
    assert row["delay, ps"] == pytest.approx(-1250, abs=0.2)
    assert (row["channel"], row["edge"], row["enabled"]) == ("V", "both", True)
    assert len(found(run(board, "channels", "--json"))) == 9
    assert "AUX_2" in run(board, "channels").output
    content = found(run(board, "line", "--flywheel-frames", "90", "--json"))
    assert content["settings"]["flywheel frames"] == 90
    content = found(run(board, "status", "--json"))
    assert content["downlink"]["sync"] == "searching"
    assert content["channels"]["H"]["dropped"] == 0
    board.values["receiver.events"] = 1
    assert "signal lost" in run(board, "clear").output
    assert board.values["receiver.events"] == 0
    assert not found(run(board, "clear", "--json"))["cleared"]["signal lost"]


def test_a_calibration_from_the_board_to_its_file_and_back(run, registers, tmp_path):
    board, file, plot = registers(), tmp_path / "lines.json", tmp_path / "lines.svg"
    words = ("calibrate", file, "--channel", "H", "--channel", "V", "--counts", "30000")
    rows = found(run(board, *words, "--plot", plot, "--json"))
    assert [(row["channel"], row["edge"]) for row in rows] == [
        ("H", "rising"), ("H", "falling"), ("V", "rising"), ("V", "falling"),
    ]  # fmt: skip
    assert 20 < rows[0]["mean bin, ps"] < 32
    assert set(board.tables) == {("h", 0), ("h", 1), ("v", 0), ("v", 1)}
    assert "INL" in plot.read_text()
    # A second run asks before it replaces the file.
    again = run(board, *words)
    assert again.exit_code == 2
    assert "--force" in again.output
    other = registers()
    assert run(other, "table", "load", file, "--channel", "V").exit_code == 0
    assert other.tables == {key: board.tables[key] for key in (("v", 0), ("v", 1))}
    shown = CliRunner().invoke(command.rx, ["table", "show", str(file), "--json"])
    assert json.loads(shown.output) == rows
    warm = registers(drift=1.02)
    (row, _) = found(run(warm, "drift", file, "--load", "--json"))
    assert row["change, %"] == pytest.approx(2, abs=0.02)
    assert warm.tables["h", 0] != board.tables["h", 0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["channels", "--delay", "3"], "say which channel"),
        (["channels", "H", "--delay", "2.5e6"], "not in the range"),
        (["channels", "H", "--dead-time", "nan"], "not a finite number"),
        (["channels", "H", "--divider", "0"], "not in the range"),
        (["channels", "SYNC", "--divider", "3"], "SYNC has no edges"),
        (["channels", "Q"], "'Q' is not one of"),
        (["line", "--sync-word", "word"], "is no number"),
        (["line", "--sync-word", "0xFFFFFFFFFFFFFFFF"], "must begin with 1 to 7 zeros"),
        (["calibrate", "missing/lines.json"], "no folder"),
        (["calibrate", "lines.json", "--channel", "SYNC"], "'SYNC' is not one of"),
        (["table", "load", "missing.json"], "does not exist"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(run, registers, words, said):
    board = registers()
    result = run(board, *words)
    assert result.exit_code != 0
    assert said in " ".join((result.output + str(result.exception)).split())
    assert board.writes == []


def test_a_calibration_that_fails_leaves_no_file(run, registers, tmp_path):
    board = registers()
    result = run(board, "calibrate", tmp_path / "lines.json", "--counts", "1000")
    assert "too few" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
    assert board.tables == {}


def test_a_file_of_other_channels_is_said(run, registers, tmp_path):
    board, file = registers(), tmp_path / "lines.json"
    assert run(board, "calibrate", file, "--channel", "H", "--counts", "30000").exit_code == 0
    assert list(load_calibration(file).channels) == ["H"]
    result = run(board, "table", "load", file, "--channel", "D")
    assert "no calibration of D" in str(result.exception)
