"""What the command gives the build, and which of several placements is kept."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from keybeam.protocol.identity import Role
from keybeam_boards import command, implementation
from keybeam_boards.build_report import BuildReport
from keybeam_boards.errors import OptionError, RuleError, TimingError, ToolError
from keybeam_boards.options import BuildOptions, read_options
from keybeam_boards.platforms import BOARDS
from keybeam_boards.reports import ClockResult

MISSED = BuildReport(
    board="ecp5_5g_evn",
    role="receiver",
    slot_rate="625",
    device="LFE5UM5G-85F",
    timing_device="LFE5UM-85F -8",
    git_revision="0" * 12,
    map_hash="12345678",
    seed=1,
    seeds=[],
    bitstream=None,
    timing_met=False,
    clocks={"sync": ClockResult(required_mhz=156.25, achieved_mhz=150.0)},
    utilisation={},
    worst_paths=[],
    delay_lines=[],
    crossings=[],
    violations=[],
    lab_only=[],
    notes=(),
)


def test_a_missed_clock_is_an_error_and_reported(monkeypatch):
    asked = []

    def build(board, role, out, *, seeds, **_):
        asked.extend(seeds)
        return MISSED

    monkeypatch.setattr(command, "build_bitstream", build)
    words = ["--board", "ecp5_5g_evn", "--role", "receiver", "--json", "--seed", "5", "--seeds"]
    done = CliRunner().invoke(command.build, [*words, "3"])
    assert asked == [5, 6, 7]
    assert isinstance(done.exception, TimingError)
    assert json.loads(done.stdout)["clocks"] == asdict(MISSED)["clocks"]


def test_a_board_says_which_seed_to_begin_with(monkeypatch):
    asked = {}

    def build(board, role, out, *, seeds, **_):
        asked[role] = list(seeds)
        return replace(MISSED, timing_met=True, clocks={})

    monkeypatch.setattr(command, "build_bitstream", build)
    words = ["--board", "butterstick", "--role", "both", "--json"]
    CliRunner().invoke(command.build, words, catch_exceptions=False)
    assert asked == {Role.TRANSMITTER: [2], Role.RECEIVER: [1]}
    CliRunner().invoke(command.build, [*words, "--seed", "7", "--seeds", "2"])
    assert asked == {role: [7, 8] for role in Role}


def test_both_roles_are_built_one_after_the_other(monkeypatch):
    built = []

    def build(board, role, out, *, options, **_):
        built.append((role, options))
        return replace(MISSED, role=role.name.lower(), timing_met=True, clocks={})

    monkeypatch.setattr(command, "build_bitstream", build)
    words = ["--board", "ecp5_5g_evn", "--role", "both", "--json"]
    done = CliRunner().invoke(command.build, words)
    assert [role for role, _ in built] == list(Role)
    printed = json.loads(done.stdout)
    assert [printed[name]["role"] for name in printed] == ["transmitter", "receiver"]


@pytest.mark.parametrize(
    ("role", "option", "complaint"),
    [
        ("transmitter", "lanes=9", "lanes of this board's transmitter is 5 to 8"),
        ("transmitter", "lanes=six", "5 to 8"),
        ("transmitter", "lines=1", "a transmitter has no such option: lanes"),
        ("receiver", "lines=3", "0 to 2"),
        ("receiver", "colour", "a receiver has no such option: lines"),
    ],
)
def test_an_option_that_does_not_exist_is_one_line(role, option, complaint):
    words = ["--board", "ecp5_5g_evn", "--role", role, "--option", option]
    with pytest.raises(OptionError, match=f"--option {option}.*{complaint}"):
        CliRunner().invoke(command.build, words, catch_exceptions=False)


def test_options_reach_the_build():
    board = BOARDS["ecp5_5g_evn"]
    assert read_options(["lanes=8"], board, Role.TRANSMITTER) == BuildOptions(lanes=8)
    assert read_options(["lines=0"], board, Role.RECEIVER) == BuildOptions(lines=0)
    assert read_options([], board, Role.RECEIVER) == BuildOptions()


def test_a_board_without_a_role_says_why():
    words = ["--board", "versa_ecp5_5g", "--role", "receiver"]
    with pytest.raises(RuleError, match="versa_ecp5_5g can be no receiver: no pin"):
        CliRunner().invoke(command.build, words, catch_exceptions=False)


PLACED = {
    # Seed: achieved frequencies of two clocks, violations.
    1: (160, 70, []),
    2: (158, 80, []),
    3: (200, 74, []),
    4: (300, 300, ["a lane is wrong"]),
    5: None,
}


@pytest.fixture
def placed(monkeypatch):
    """Placement as in `PLACED`."""

    def place(design, seed, progress):
        if PLACED[seed] is None:
            raise ToolError("no way through")
        sync, dram, violations = PLACED[seed]
        clocks = {"sync": ClockResult(156.25, sync), "dram": ClockResult(75, dram)}
        return implementation._Placement(seed, clocks, violations, [], [], {})

    monkeypatch.setattr(implementation, "_place", place)
    design = SimpleNamespace(folder=Path("work"))

    def best(*seeds):
        said = []
        return *implementation._best_placement(design, seeds, said.append), said

    return best


def test_the_placement_with_the_fastest_slowest_clock_is_kept(placed):
    best, results, said = placed(1, 2, 3)
    assert best.seed == 2
    assert [one.seed for one in results] == [2, 3, 1]
    assert [one.timing_met for one in results] == [True, False, False]
    assert results[0].worst_ratio == 158 / 156.25
    assert len(said) == 3


def test_a_broken_limit_weighs_more_than_any_clock(placed):
    best, results, _ = placed(4, 1)
    assert best.seed == 1
    assert [one.violations for one in results] == [0, 1]


def test_a_seed_that_cannot_be_routed_costs_no_other(placed):
    best, results, said = placed(5, 1)
    assert best.seed == 1
    assert results[1].failure == "no way through"
    assert "seed 5: no way through" in said
    with pytest.raises(ToolError, match="no way through"):
        placed(5)


def test_no_seed_at_all_is_an_error(placed, monkeypatch):
    monkeypatch.setitem(PLACED, 1, None)
    with pytest.raises(ToolError, match=r"no seed could be placed .*; no way through \(see work\)"):
        placed(1, 5)
