"""The main job as a user runs it, shortened to the seconds about the culmination."""

import hashlib
import json
import resource
import signal
import subprocess
import sys

import msgspec
import psutil
import pytest

from keybeam.report import read_result

PASS = [sys.executable, "-m", "keybeam", "pass"]
SHORT = ["--seed", "5", "--duration", "15"]


def run(*words, **options):
    return subprocess.run(
        [*PASS, *map(str, words)], capture_output=True, text=True, timeout=300, **options
    )


@pytest.fixture(scope="module")
def short_pass(tmp_path_factory):
    """A short pass: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("short") / "pass"
    done = run(*SHORT, "--record", "--json", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_both_ends_hold_the_same_key(short_pass):
    folder, _ = short_pass
    result = read_result(folder / "result.json")
    satellite, ground = ((folder / f"{end}.key").read_bytes() for end in ("satellite", "ground"))
    assert satellite == ground
    assert result.keys_match
    assert 8 * len(ground) == result.secret_key_bits > 0
    assert result.secret_key_bits % 128 == 0
    digest = hashlib.sha256(ground).hexdigest()
    assert result.key_sha256.satellite == result.key_sha256.ground == digest


def test_figures_are_those_of_the_link(short_pass):
    result = read_result(short_pass[0] / "result.json")
    assert result.duration_s == 15
    # 33 000 clicks a second at the culmination, faded; four in five pass the gate.
    assert result.clicks == pytest.approx(15 * 33_000, rel=0.3)
    assert result.gated / result.clicks == pytest.approx(0.8, abs=0.02)
    # Half have the matching basis and one in ten is sampled. 94 % of the photons are those of
    # signal pulses (0.5·0.8 of 0.42525), half of the background, which is 1.6 % of the clicks.
    assert result.sifted_bits / result.gated == pytest.approx(0.5 * 0.934 * 0.9, rel=0.03)
    assert result.sampled_bits / result.sifted_bits == pytest.approx(1 / 9, rel=0.03)
    assert sum(result.series.clicks) == result.clicks
    assert result.qber.mean == pytest.approx(0.0075, abs=0.0015)
    assert sum(block.length_bits for block in result.blocks) == result.secret_key_bits
    assert (result.analysis, result.failure_probability) == ("composable", 1e-10)


def test_json_on_standard_output_is_the_file(short_pass):
    folder, printed = short_pass
    assert json.loads(printed) == json.loads((folder / "result.json").read_bytes())


def test_folder_holds_the_results_and_nothing_else(short_pass):
    names = {entry.name for entry in short_pass[0].iterdir()}
    expected = {"result.json", "report.html", "satellite.key", "ground.key", "pass.h5"}
    assert names == expected
    for end in ("satellite", "ground"):
        assert (short_pass[0] / f"{end}.key").stat().st_mode & 0o077 == 0


def test_record_of_the_pass_can_be_read(short_pass):
    folder, _ = short_pass
    command = [sys.executable, "-m", "keybeam", "tags", "info", "--json", folder / "pass.h5"]
    summary = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert summary["gaps"] == summary["lost"] == 0
    assert sum(summary["tags"].values()) >= read_result(folder / "result.json").clicks
    assert summary["valid_headers"] >= 15 * 9536


def test_same_seed_gives_the_same_pass(short_pass, tmp_path):
    folder, _ = short_pass
    assert run(*SHORT, "--out", tmp_path / "again").returncode == 0
    first, second = (
        msgspec.structs.replace(read_result(path / "result.json"), wall_s=0.0)
        for path in (folder, tmp_path / "again")
    )
    assert first == second
    assert (folder / "ground.key").read_bytes() == (tmp_path / "again/ground.key").read_bytes()


@pytest.mark.parametrize("words", [["--duration", "0"], ["--frames", "many"], ["--seed", "-1"]])
def test_unknown_values_are_refused(words, tmp_path):
    done = run(*words, "--out", tmp_path / "pass")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "pass").exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    def no_room_for_a_report():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = run(*SHORT, "--out", tmp_path / "pass", preexec_fn=no_room_for_a_report)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_interrupting_leaves_nothing_behind(tmp_path):
    command = [*PASS, "--duration", "300", "--out", str(tmp_path / "pass")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    own = psutil.Process(process.pid)
    while len(own.children(recursive=True)) < 3:
        assert process.poll() is None
    children = own.children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "keybeam: interrupted"
    assert "Traceback" not in errors
    psutil.wait_procs(children, timeout=30)
    assert not [child for child in children if child.is_running()]
    assert list(tmp_path.iterdir()) == []
