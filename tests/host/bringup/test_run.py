"""Order, recording and replay of a bring-up, with steps that need no boards."""

import dataclasses
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from keybeam.bringup import SIMULATED, BringUpError, judge, read_recording, render_page, run
from keybeam.bringup.checks import check
from keybeam.bringup.identity import Asked
from keybeam.bringup.recording import Recording, RecordingHead
from keybeam.bringup.steps import STEPS
from keybeam.cli import main
from keybeam.device import FoundPort, Identity, LinkTimeoutError
from keybeam.protocol.identity import ABI_VERSION, Role


def asked(role, known="11111111", told="11111111"):
    identity = Identity(role, ABI_VERSION, told, "0badc0de")
    return Asked(FoundPort(f"/dev/{role.name.lower()}", ""), identity, known_hash=known)


BOTH = [asked(Role.TRANSMITTER), asked(Role.RECEIVER)]


def head(steps, boards=BOTH):
    return RecordingHead(
        created="2022-09-25", software="<keybeam>", plan=SIMULATED, asked=boards, steps=steps
    )


@pytest.fixture
def steps(monkeypatch):
    """Two steps of which the second needs the first; what they measure is told by the test."""
    given = {}

    def make(step, needs):
        def measure(bench, earlier):
            if isinstance(given[step.name], Exception):
                raise given[step.name]
            return {"value": np.array(given[step.name])}

        def judged(data, plan):
            good = bool(data["value"] < 3)
            return [check(step.name, good, str(data["value"]), "below 3", "mend <it>")]

        return dataclasses.replace(
            step, measure=measure, judge=judged, draw=lambda data, plan: [], needs=needs
        )

    first, second = make(STEPS[0], ()), make(STEPS[1], (STEPS[0].name,))
    monkeypatch.setattr(run, "STEPS", (first, second))
    return given, [first.name, second.name]


def bring_up(folder, names):
    begin = head(names)
    bench = SimpleNamespace(plan=SIMULATED)
    measured = run.measure(bench, Recording(folder, begin), names, lambda title, part: None)
    return judge(begin, measured)


def test_all_steps_pass_and_a_replay_says_the_same(steps, tmp_path):
    given, names = steps
    given |= dict(zip(names, (1, 2), strict=True))
    result, sections, plots = bring_up(tmp_path, names)
    assert result.passed
    assert result.left_out == []
    again = judge(*read_recording(tmp_path))
    assert again[0] == result
    page = render_page(result, sections, plots)
    assert page == render_page(*again)
    assert "&lt;keybeam&gt;" in page
    assert "All 7 checks passed" in page


def test_what_needs_a_failed_step_is_left_out_and_named(steps, tmp_path):
    given, names = steps
    given |= dict(zip(names, (5, 2), strict=True))
    result, sections, plots = bring_up(tmp_path, names)
    assert not result.passed
    assert [line.name for line in result.checks if not line.passed] == [names[0]]
    assert result.left_out == [STEPS[1].title]
    page = render_page(result, sections, plots)
    assert STEPS[1].title in page
    assert "mend &lt;it&gt;" in page


def test_a_board_that_falls_silent_is_a_red_line_and_not_the_end(steps, tmp_path):
    given, names = steps
    given |= {names[0]: 1, names[1]: LinkTimeoutError("the board did not answer")}
    result = bring_up(tmp_path, names)[0]
    (line,) = (line for line in result.checks if not line.passed)
    assert line.measured == "the board did not answer"
    assert line.hint
    assert judge(*read_recording(tmp_path))[0] == result


@pytest.mark.parametrize(
    ("boards", "wrong"),
    [
        ([asked(Role.TRANSMITTER)], "receiver answers"),
        ([*BOTH, asked(Role.RECEIVER)], "receiver answers"),
        ([BOTH[0], asked(Role.RECEIVER, told="22222222")], "receiver: register map"),
        ([BOTH[0], Asked(FoundPort("/dev/x", ""), error="silence")], "receiver answers"),
    ],
)
def test_boards_that_are_not_what_is_wanted(boards, wrong):
    result = judge(head([], boards), {})[0]
    assert [line.name for line in result.checks if not line.passed] == [wrong]


def spoil_head(folder):
    (folder / "recording.json").write_text("{}")


def spoil_data(folder):
    (folder / "data" / f"{STEPS[0].name}.npz").write_bytes(b"PK no archive")


def other_version(folder):
    content = msgspec.json.decode((folder / "recording.json").read_bytes())
    (folder / "recording.json").write_bytes(msgspec.json.encode(content | {"version": 99}))


def missing_array(folder):
    np.savez(folder / "data" / f"{STEPS[0].name}.npz", other=np.array(1))


@pytest.mark.parametrize("spoil", [spoil_head, spoil_data, other_version, missing_array])
def test_a_recording_that_is_none_is_refused_in_a_line(tmp_path, capsys, spoil):
    Recording(tmp_path, head([STEPS[0].name])).keep(STEPS[0].name, {"x": np.array(1)})
    spoil(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["bringup", "--replay", str(tmp_path), "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("keybeam: ")


def test_an_empty_folder_is_no_recording(tmp_path):
    with pytest.raises(BringUpError, match="no recorded bring-up"):
        read_recording(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cosim", "--port", "x"], "one of --port, --cosim and --replay"),
        (["--fault", "clock"], "--fault needs --cosim"),
        (["--only", "nothing"], "nothing"),
    ],
)
def test_impossible_options_are_refused(words, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["bringup", *words])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_no_board_at_all_is_said_in_a_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    with pytest.raises(SystemExit) as stop:
        main(["bringup", "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "no port of a board was found" in capsys.readouterr().err
