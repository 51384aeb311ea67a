import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from keybeam.distillation import Mode, binary_entropy
from keybeam.key_length import Analysis, paper_key_length
from keybeam.pipeline import PipelineError, PipelineSettings, process_pass
from keybeam.pipeline.command import pipeline
from keybeam.protocol.symbols import Intensity, basis_of, bit_of, intensity_of
from keybeam.tags import CaptureError
from keybeam_sim.recording import RecordedLink
from keybeam_sim.source import SymbolSource

from .conftest import FRAMES


def expected_counts():
    """Signal clicks with matching bases, and their error rate, from the simulated link alone."""
    generator = np.random.default_rng(5)
    symbols = SymbolSource(5).symbols(np.arange(16 * 65_536, dtype=np.uint64))
    places, channels = RecordedLink(efficiency=0.5).clicks(symbols, generator)
    sent = symbols[places]
    signal = (basis_of(sent) == basis_of(channels)) & (intensity_of(sent) == Intensity.SIGNAL)
    wrong = bit_of(sent[signal]) != bit_of(channels[signal])
    return np.count_nonzero(signal) * FRAMES / 16, wrong.mean()


def test_a_recorded_pass_becomes_key(settings):
    result = process_pass(settings)
    clicks, qber = expected_counts()
    sifted = 0.9 * clicks
    # The first frames and the last are cut off where the clock is not known yet.
    assert 0.9 * sifted - 100_000 < result.sifted_bits <= sifted
    assert result.packets == result.sifted_bits // 100_000 >= 5
    assert result.packets_failed == 0
    assert result.qber == pytest.approx(qber, rel=0.03)
    assert [block.packets for block in result.blocks] == [
        [0, 1, 2, 3],
        list(range(4, result.packets)),
    ]
    for block in result.blocks:
        counts = {"signal": block.signal, "decoy": block.decoy, "vacuum": block.vacuum}
        assert block.signal == 100_000 * len(block.packets)
        assert block.leak_bits > 1.0 * block.signal * binary_entropy(block.qber)
        # Decoy and vacuum clicks of the packets: at these intensities by expected parts.
        assert counts["decoy"] / counts["signal"] == pytest.approx(0.0735, rel=0.05)
    key = settings.key.read_bytes()
    assert 8 * len(key) == result.secret_bits == sum(b.length_bits for b in result.blocks) > 0
    assert stat.S_IMODE(settings.key.stat().st_mode) == 0o600
    assert abs(np.unpackbits(np.frombuffer(key, np.uint8)).mean() - 0.5) < 0.02


def test_processes_make_the_same_key(settings, tmp_path):
    process_pass(settings)
    other = replace(settings, workers=2, key=tmp_path / "other.key")
    told = []
    result = process_pass(other, told.append)
    assert other.key.read_bytes() == settings.key.read_bytes()
    assert [stage.stage for stage in result.stages] == [
        "clicks",
        "sift",
        "reconcile 1",
        "reconcile 2",
        "amplify",
    ]
    found = {stage.stage: stage for stage in result.stages}
    assert found["clicks"].given == found["sift"].taken == result.clicks
    parts = [found["reconcile 1"], found["reconcile 2"]]
    assert sum(part.taken for part in parts) == found["sift"].given == result.sifted_bits
    assert sum(part.given for part in parts) == found["amplify"].taken
    assert found["amplify"].given == result.secret_bits
    assert told[-1].records == told[-1].all_records == result.records
    assert told[-1].secret_bits == result.secret_bits
    assert [r.records for r in told] == sorted(r.records for r in told)
    assert psutil.Process().children() == [] or all(
        "resource_tracker" in " ".join(child.cmdline()) for child in psutil.Process().children()
    )


def test_a_pass_in_two_captures_is_one_pass(settings, without_key):
    twice = replace(without_key, captures=settings.captures * 2)
    result = process_pass(twice)
    # The same pulses once more: none is taken twice.
    assert result.sifted_bits == process_pass(without_key).sifted_bits


def test_packets_that_fail_are_in_no_key(without_key, monkeypatch):
    from keybeam.pipeline import stages

    right = stages.reconcile

    def fail_second(mode, code, bits, syndrome, ask):
        calls.append(1)
        if len(calls) == 2:
            syndrome = syndrome ^ 1
        return right(mode, code, bits, syndrome, ask)

    calls = []
    monkeypatch.setattr(stages, "reconcile", fail_second)
    result = process_pass(replace(without_key, mode=Mode.EFFICIENT))
    assert result.packets_failed == 1
    assert result.blocks[0].packets == [0, 2, 3]
    assert result.blocks[0].signal == 300_000


def test_bad_files_are_told_before_any_work(settings, tmp_path):
    broken = tmp_path / "broken.h5"
    data = bytearray(settings.captures[0].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    broken.write_bytes(data)
    with pytest.raises((CaptureError, PipelineError), match="damaged"):
        process_pass(replace(settings, captures=(broken,), workers=1))
    assert list(tmp_path.iterdir()) == [broken]
    with pytest.raises(PipelineError, match="at least one capture"):
        PipelineSettings(captures=(), symbols=settings.symbols)
    with pytest.raises(PipelineError, match="workers"):
        PipelineSettings(captures=settings.captures, symbols=settings.symbols, workers=-1)


def _command(settings, *more):
    words = [str(path) for path in settings.captures]
    return [*words, "--symbols", str(settings.symbols), "--key", str(settings.key), *more]


def test_the_command_tells_what_came_of_it(settings, tmp_path):
    plot = tmp_path / "time.svg"
    words = ["--analysis", "paper", "--workers", "0", "--seed", "3", "--block-packets", "4"]
    done = CliRunner().invoke(pipeline, _command(settings, *words, "--json", "--plot", str(plot)))
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["secret_bits"] == 8 * settings.key.stat().st_size > 0
    text = plot.read_text()
    assert all(name in text for name in ("clicks", "sift", "reconcile 1", "amplify"))
    words[1] = Analysis.COMPOSABLE.value
    done = CliRunner().invoke(pipeline, _command(settings, *words))
    assert done.exit_code == 0
    assert "bits of key" in done.stdout
    assert "amplify" in done.stdout


def _start(settings):
    command = [sys.executable, "-m", "keybeam", "pipeline", *_command(settings, "--workers", "1")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # The file of the key is begun by the last stage: then all of them run.
    part = settings.key.with_name(settings.key.name + ".part")
    tree = psutil.Process(process.pid)
    while not part.exists():
        assert process.poll() is None
    return process, tree.children(recursive=True)


def test_an_interrupt_leaves_nothing_behind(settings):
    process, children = _start(settings)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in error
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert list(settings.key.parent.iterdir()) == []


def test_stages_do_not_outlive_a_caller_that_was_killed(settings):
    process, children = _start(settings)
    before = set(os.listdir("/dev/shm"))
    process.kill()
    process.communicate(timeout=60)
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert not settings.key.exists()
    assert set(os.listdir("/dev/shm")) <= before


def test_a_stage_that_dies_ends_the_run(settings):
    process, children = _start(settings)
    stages = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    stages[1].kill()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the process of the stage 'sift' ended early" in error
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert not settings.key.exists()


def test_the_formula_of_the_key_is_that_of_the_analysis(without_key):
    result = process_pass(without_key)
    from keybeam.distillation import BlockCounts

    for block in result.blocks:
        counts = BlockCounts(block.signal, block.decoy, block.vacuum, block.decoy_errors)
        expected = paper_key_length(counts, block.qber, leak_bits=block.leak_bits)
        assert block.length_bits == expected.length_bits
