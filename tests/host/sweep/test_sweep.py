"""Sweeps on a real cluster: of this machine's processes, and of a scheduler with an address."""

import json

import pytest
from click.testing import CliRunner
from distributed import LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from keybeam.key_length import BlockCounts, paper_key_length
from keybeam.sweep import Axis, SweepError, grid, run_point
from keybeam.sweep.command import sweep

BLOCK = [
    *("keylength", "block", "--signal", "500000", "--decoy", "34375"),
    *("--vacuum", "3879", "--decoy-errors", "1878"),
]
COUNTS = BlockCounts(500_000, 34_375, 3_879, 1_878)


def expected_bits(qber, efficiency):
    return paper_key_length(COUNTS, qber, efficiency=efficiency).length_bits


def test_a_sweep_on_this_machine_gives_table_and_plot(tmp_path):
    plot = tmp_path / "key.svg"
    words = ["--vary", "qber=0.01:0.02:2", "--vary", "efficiency=1.1,1.2", "--processes", "1"]
    words += ["--show", "length_bits", "--plot", str(plot), *BLOCK]
    done = CliRunner().invoke(sweep, words)
    assert done.exit_code == 0, done.output
    for qber in (0.01, 0.02):
        for efficiency in (1.1, 1.2):
            assert f"{expected_bits(qber, efficiency):,}".replace(",", " ") in done.stdout
    text = plot.read_text()
    assert all(part in text for part in ("qber", "length_bits", "efficiency 1.1"))


@pytest.fixture(scope="module")
def address():
    """A scheduler that was there before, with a worker of two threads in a process."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        dashboard_address=None,
        protocol="tcp://",
    ) as cluster:
        yield cluster.scheduler_address


def test_a_scheduler_runs_the_same_points(address):
    words = ["--scheduler", address, "--vary", "qber=0.01,0.7,0.02", "--json", *BLOCK]
    done = CliRunner().invoke(sweep, [*words, "--efficiency", "1.2"])
    assert done.exit_code == 0, done.output
    first, wrong, last = json.loads(done.stdout)
    assert first["result"]["length_bits"] == expected_bits(0.01, 1.2)
    assert last["result"]["length_bits"] == expected_bits(0.02, 1.2)
    assert wrong["values"] == {"qber": "0.7"}
    assert wrong["result"] is None
    assert "--qber" in wrong["error"]


def test_where_no_point_can_be_run_the_first_says_why(address):
    words = ["--scheduler", address, "--vary", "qber=0.7,0.8", *BLOCK, "--leak", "1"]
    done = CliRunner().invoke(sweep, words)
    assert isinstance(done.exception, SweepError)
    assert "--qber" in str(done.exception)


def test_a_scheduler_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr("keybeam.sweep.cluster._PATIENCE_S", 0.5)
    words = ["--scheduler", "tcp://127.0.0.1:9", "--vary", "qber=0.01", *BLOCK]
    done = CliRunner().invoke(sweep, words)
    assert isinstance(done.exception, SweepError)
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in str(done.exception)


def test_words_of_a_point():
    axes = [Axis.parse("pass=a.h5,b.h5"), Axis.parse("mode=efficient")]
    points = grid(axes, ["pipeline", "{pass}", "--symbols", "{pass}.symbols"])
    assert [point.words for point in points] == [
        ["pipeline", name, "--symbols", f"{name}.symbols", "--mode", "efficient", "--json"]
        for name in ("a.h5", "b.h5")
    ]
    assert [point.values["pass"] for point in points] == ["a.h5", "b.h5"]


def test_what_a_command_prints_is_taken():
    (point,) = grid([Axis.parse("qber=0.01")], [*BLOCK, "--efficiency", "1.2"])
    assert run_point(point).result["length_bits"] == expected_bits(0.01, 1.2)
    (point,) = grid([Axis.parse("qber=0.01")], ["nothing"])
    assert "nothing" in run_point(point).error


@given(
    first=st.floats(-1e6, 1e6),
    last=st.floats(-1e6, 1e6),
    count=st.integers(1, 30),
)
def test_ranges_have_their_ends_and_their_count(first, last, count):
    values = [float(text) for text in Axis.parse(f"x={first!r}:{last!r}:{count}").values]
    assert len(values) == count
    assert values[0] == pytest.approx(first, rel=1e-9, abs=1e-9)
    if count > 1:
        assert values[-1] == pytest.approx(last, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("text", ["qber", "=1", "qber=", "qber=a:b:3", "qber=1:2:0", "q=1:inf:3"])
def test_axes_that_are_none_are_refused(text):
    with pytest.raises(SweepError, match="is n"):
        Axis.parse(text)


def test_a_sweep_needs_axes_of_different_names():
    with pytest.raises(SweepError, match="twice"):
        grid([Axis.parse("a=1"), Axis.parse("a=2")], ["keylength"])
    with pytest.raises(SweepError, match="something to vary"):
        grid([], ["keylength"])
