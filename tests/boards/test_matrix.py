"""The matrix of all boards and roles, with builds that give known reports in no time."""

import json

import pytest
from click.testing import CliRunner

from keybeam_boards import matrix
from keybeam_boards.errors import ToolError
from keybeam_boards.matrix_command import bitstreams
from keybeam_boards.platforms import BOARDS

REPORT = {
    "slot_rate": "312.5",
    "git_revision": "0123456789ab",
    "seed": 2,
    "clocks": {
        "sync": {"required_mhz": 78.125, "achieved_mhz": 101.04},
        "reference": {"required_mhz": 25.0, "achieved_mhz": 300.0},
    },
    "utilisation": {"TRELLIS_COMB": {"used": 1, "available": 4}},
    "violations": [],
    "timing_met": True,
    "lab_only": [],
}
OWN_SEEDS = {("butterstick", "transmitter"): 2, ("versa_ecp5_5g", "transmitter"): 3}
ROWS = sum(len(board.slot_rates) for board in BOARDS.values())


@pytest.fixture
def builds(monkeypatch):
    """What was built. A receiver for the ULX3S cannot be placed."""
    done = []

    def build(board, role, folder, *, seeds, progress):
        done.append((board, role.name.lower()))
        assert seeds[0] == OWN_SEEDS.get(done[-1], 1)
        if done[-1] == ("ulx3s", "receiver"):
            raise ToolError("no way | through", folder)
        report = REPORT | {"board": board, "role": role.name.lower()}
        (folder / f"{board}_{role.name.lower()}.json").write_text(json.dumps(report))

    monkeypatch.setattr(matrix, "build", build)
    monkeypatch.setattr(matrix, "build_revision", lambda: "0123456789ab")
    return done


def run(*words):
    done = CliRunner().invoke(bitstreams, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done


def test_all_are_built_and_a_failure_is_a_row(builds, tmp_path):
    table = tmp_path / "docs" / "bitstreams.md"
    done = run("--out", str(tmp_path / "out"), "--write-docs", str(table))
    assert len(builds) == ROWS
    assert f"no way | through (see {tmp_path / 'out'})" in done.stderr
    rows = [line for line in table.read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) == ROWS
    (failed,) = (row for row in rows if "failed" in row)
    assert "| ulx3s | receiver | 312.5 | 0123456789ab |" in failed
    assert failed.endswith("failed: no way / through |")
    assert "`sync` 101.0 of 78.125 MHz | 25 % | 0 | 0 | bitstream |" in rows[0]


def test_a_second_run_builds_nothing_and_one_at_another_revision_all(builds, tmp_path, monkeypatch):
    run("--out", str(tmp_path))
    builds.clear()
    again = run("--out", str(tmp_path))
    assert builds == []
    assert f"{ROWS} of {ROWS}: " in again.stderr
    monkeypatch.setattr(matrix, "build_revision", lambda: "ba9876543210")
    run("--out", str(tmp_path), "--board", "ulx3s")
    assert builds == [("ulx3s", "transmitter"), ("ulx3s", "receiver")]


def test_what_is_not_committed_is_always_built(builds, tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "build_revision", lambda: "0123456789ab-dirty")
    monkeypatch.setitem(REPORT, "git_revision", "0123456789ab-dirty")
    for _ in range(2):
        run("--out", str(tmp_path), "--board", "ecpix5")
    assert len(builds) == 4


def test_what_was_not_built_is_said_and_has_no_figures(builds, tmp_path):
    done = run("--out", str(tmp_path), "--table-only", "--json")
    assert builds == []
    rows = json.loads(done.stdout)
    assert len(rows) == ROWS
    assert all(row["report"] is None and row["revision"] is None for row in rows)
    text = run("--out", str(tmp_path), "--table-only").stdout
    assert text.count("| – | – | – | – | – | not built |") == ROWS


def test_rows_of_what_was_built_elsewhere_stay_in_the_document(builds, tmp_path):
    table, out = tmp_path / "bitstreams.md", tmp_path / "out"
    run("--out", str(out), "--board", "ulx3s", "--role", "transmitter", "--write-docs", str(table))
    assert builds == [("ulx3s", "transmitter")]
    first = table.read_text()
    elsewhere = tmp_path / "elsewhere"
    run("--out", str(elsewhere), "--table-only", "--write-docs", str(table))
    assert table.read_text() == first
    assert first.count("| not built |") == ROWS - 1
    # What is built here takes the place of the row.
    run("--out", str(elsewhere), "--board", "ulx3s", "--seeds", "2", "--write-docs", str(table))
    second = table.read_text()
    assert second.count("| not built |") == ROWS - 2
    assert second.count("failed: no way / through") == 1


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({"timing_met": False}, "timing not met"),
        ({"violations": ["a pin is wrong"]}, "a pin is wrong"),
        ({"lab_only": ["too fast"]}, "for the lab only"),
    ],
)
def test_what_is_wrong_with_a_build_stands_in_its_row(change, result):
    row = matrix.Row("ecpix5", "receiver", REPORT | change, None, "0123456789ab")
    assert f"| {result} |" in matrix.matrix_table([row])
