import json
from dataclasses import asdict, replace

import pytest
from click.testing import CliRunner

from keybeam_boards import command
from keybeam_boards.bitstream import BuildReport
from keybeam_boards.errors import TimingError
from keybeam_boards.reports import ClockResult

MISSED = BuildReport(
    board="ecp5_5g_evn",
    role="receiver",
    slot_rate="625",
    device="LFE5UM5G-85F",
    timing_device="LFE5UM-85F -8",
    git_revision="0" * 12,
    seed=1,
    bitstream=None,
    timing_met=False,
    clocks={"sync": ClockResult(required_mhz=156.25, achieved_mhz=150.0)},
    utilisation={},
    worst_paths=[],
    violations=[],
    notes=(),
)


@pytest.fixture
def seeds_tried(monkeypatch):
    """Placement that meets its clock with seed 6 alone."""
    tried = []

    def place(board, role, out, *, seed, progress, slot_rate, lanes):
        tried.append(seed)
        if seed != 6:
            return replace(MISSED, seed=seed)
        clocks = {"sync": ClockResult(required_mhz=156.25, achieved_mhz=160.0)}
        return replace(MISSED, seed=seed, timing_met=True, clocks=clocks, bitstream="out.bit")

    monkeypatch.setattr(command, "build_bitstream", place)
    return tried


def run(*words):
    return CliRunner().invoke(
        command.build, ["--board", "ecp5_5g_evn", "--role", "receiver", "--json", *words]
    )


def test_seeds_are_tried_until_the_clock_is_met(seeds_tried):
    done = run("--seed", "5", "--seeds", "4")
    assert done.exit_code == 0
    assert seeds_tried == [5, 6]
    assert json.loads(done.stdout)["seed"] == 6


def test_a_clock_that_no_seed_meets_is_an_error(seeds_tried):
    done = run("--seed", "1", "--seeds", "2")
    assert seeds_tried == [1, 2]
    assert isinstance(done.exception, TimingError)
    assert json.loads(done.stdout)["clocks"] == asdict(MISSED)["clocks"]
