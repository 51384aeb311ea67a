"""A recorded pass from its files to key, in one process and in several."""

import os
import re
import signal
import stat
import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from keybeam.distillation import BlockCounts, NoCodeError, binary_entropy
from keybeam.distillation.verification import TAG_BITS
from keybeam.key_length import paper_key_length
from keybeam.pipeline import (
    PipelineError,
    PipelineResult,
    SymbolRecordError,
    process_pass,
    stages,
)
from keybeam.pipeline.command import pipeline
from keybeam.pipeline.items import Sifted, header_of
from keybeam.pipeline.meter import Meter
from keybeam.protocol.symbols import Intensity, basis_of, bit_of, intensity_of
from keybeam_sim.recording import RecordedLink
from keybeam_sim.source import SymbolSource

FRAMES = 130
PATIENCE_S = 300
"""Seconds after which a process hangs: other programs may want the processor as well."""


def expected_counts():
    """Signal clicks with matching bases, and their error rate, from the simulated link alone."""
    generator = np.random.default_rng(5)
    symbols = SymbolSource(5).symbols(np.arange(16 * 65_536, dtype=np.uint64))
    places, channels = RecordedLink(efficiency=0.5).clicks(symbols, generator)
    sent = symbols[places]
    signal = (basis_of(sent) == basis_of(channels)) & (intensity_of(sent) == Intensity.SIGNAL)
    wrong = bit_of(sent[signal]) != bit_of(channels[signal])
    return np.count_nonzero(signal) * FRAMES / 16, wrong.mean()


def test_a_recorded_pass_becomes_key(processed):
    result, key = processed
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
        assert block.signal == 100_000 * len(block.packets)
        assert block.leak_bits > block.signal * binary_entropy(block.qber)
        counts = BlockCounts(block.signal, block.decoy, block.vacuum, block.decoy_errors)
        expected = paper_key_length(counts, block.qber, leak_bits=block.leak_bits)
        assert block.length_bits == expected.length_bits
    assert 8 * len(key) == result.secret_bits == sum(b.length_bits for b in result.blocks) > 0
    assert abs(np.unpackbits(np.frombuffer(key, np.uint8)).mean() - 0.5) < 0.02


def test_processes_make_the_same_key(settings, processed, tmp_path):
    expected, key = processed
    plot = tmp_path / "time.svg"
    words = ["--analysis", "paper", "--workers", "2", "--seed", "3", "--block-packets", "4"]
    words += ["--json", "--plot", str(plot)]
    done = CliRunner().invoke(pipeline, _command(settings, *words))
    assert done.exit_code == 0, done.output
    assert settings.key.read_bytes() == key
    assert stat.S_IMODE(settings.key.stat().st_mode) == 0o600
    result = msgspec.json.decode(done.stdout, type=PipelineResult)
    assert result.blocks == expected.blocks
    names = ["clicks", "sift", "reconcile 1", "reconcile 2", "amplify"]
    assert [stage.stage for stage in result.stages] == names
    assert all(name in plot.read_text() for name in names)
    found = {stage.stage: stage for stage in result.stages}
    assert found["clicks"].given == found["sift"].taken == result.clicks
    parts = [found["reconcile 1"], found["reconcile 2"]]
    assert sum(part.taken for part in parts) == found["sift"].given == result.sifted_bits
    assert sum(part.given for part in parts) == found["amplify"].taken
    assert found["amplify"].given == result.secret_bits


def test_a_pass_in_two_captures_is_one_pass(settings, processed):
    """The same pulses once more: none is taken twice."""
    told = []
    result = process_pass(replace(settings, captures=settings.captures * 2), told.append)
    assert result.blocks == processed[0].blocks
    assert result.records == 2 * processed[0].records
    assert told[-1].records == told[-1].all_records == result.records
    assert [step.records for step in told] == sorted(step.records for step in told)
    assert told[-1].secret_bits == result.secret_bits


def test_cascade_corrects_the_same_packets(settings, processed):
    result = process_pass(replace(settings, mode="cascade"))
    assert result.packets_failed == 0
    for found, expected in zip(result.blocks, processed[0].blocks, strict=True):
        assert (found.packets, found.qber) == (expected.packets, expected.qber)
    assert 1.0 < result.efficiency < processed[0].efficiency


def test_packets_that_fail_are_in_no_key(settings, monkeypatch):
    right, calls = stages.reconcile, []

    def fail_second(mode, code, bits, syndrome, ask, *, retry):
        calls.append(1)
        if len(calls) == 2:
            syndrome = syndrome ^ 1
        return right(mode, code, bits, syndrome, ask, retry=retry)

    monkeypatch.setattr(stages, "reconcile", fail_second)
    result = process_pass(replace(settings, mode="efficient"))
    assert result.packets_failed == 1
    assert result.blocks[0].packets == [0, 2, 3]
    assert result.blocks[0].signal == 300_000


@pytest.mark.parametrize("mode", ["efficient", "fast"])
def test_packets_that_one_message_does_not_correct_are_tried_again(settings, monkeypatch, mode):
    """A code that is too weak, and the leak that makes up for it."""
    right, codes = stages.choose_code, []

    def choose_weak(estimate, mode):
        codes.append(right(estimate.rate * 0.85, mode))
        return codes[-1]

    monkeypatch.setattr(stages, "choose_code", choose_weak)
    result = process_pass(replace(settings, mode=mode))
    assert result.packets_failed == 0
    syndromes = sum(code.syndrome_bits + TAG_BITS for code in codes)
    assert sum(block.leak_bits for block in result.blocks) > syndromes
    assert result.efficiency > 1


@pytest.mark.parametrize("mode", ["interactive", "fast"])
def test_packets_without_a_fitting_code_take_the_strongest(settings, monkeypatch, mode):
    def refuse(estimate, mode):
        raise NoCodeError(f"none for {estimate.rate}")

    monkeypatch.setattr(stages, "choose_code", refuse)
    result = process_pass(replace(settings, mode=mode))
    assert result.packets_failed == 0
    assert all(block.leak_bits > 50_000 * len(block.packets) for block in result.blocks)
    assert result.secret_bits == 0


def test_bad_files_are_told_and_leave_no_key(settings, tmp_path):
    broken = tmp_path / "broken.h5"
    data = bytearray(settings.captures[0].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    broken.write_bytes(data)
    with pytest.raises(PipelineError, match=r"clicks: .*broken.h5: .* damaged"):
        process_pass(replace(settings, captures=(broken,), workers=1))
    assert list(tmp_path.iterdir()) == [broken]
    with pytest.raises(SymbolRecordError, match="broken"):
        process_pass(replace(settings, symbols=broken))
    with pytest.raises(PipelineError, match="at least one capture"):
        replace(settings, captures=())
    with pytest.raises(PipelineError, match="interactive, fast, cascade, not 'wishful'"):
        replace(settings, mode="wishful")
    with pytest.raises(PipelineError, match="workers"):
        replace(settings, workers=-1)


def _command(settings, *more):
    words = [str(path) for path in settings.captures]
    return [*words, "--symbols", str(settings.symbols), "--key", str(settings.key), *more]


_TELLING = """
import sys
import keybeam.pipeline.command as command
from keybeam.cli import main

run = command.process_pass
command.process_pass = lambda settings, tell: run(
    settings, lambda step: (print("running", flush=True), tell(step))
)
main(sys.argv[1:])
"""


@pytest.fixture
def running(settings):
    """The command in a process of its own, on a long pass; all its stages run."""
    words = _command(replace(settings, captures=settings.captures * 200), "--workers", "1")
    process = subprocess.Popen(
        [sys.executable, "-c", _TELLING, "pipeline", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "running\n"
        yield process, psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.communicate()


def test_an_interrupt_leaves_nothing_behind(running, settings):
    process, children = running
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "interrupted" in error
    assert psutil.wait_procs(children, timeout=PATIENCE_S)[1] == []
    assert list(settings.key.parent.iterdir()) == []


def test_stages_do_not_outlive_a_caller_that_was_killed(running, settings):
    process, children = running
    before = set(os.listdir("/dev/shm"))
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert psutil.wait_procs(children, timeout=PATIENCE_S)[1] == []
    assert list(settings.key.parent.iterdir()) == []
    assert set(os.listdir("/dev/shm")) <= before


def test_a_stage_that_dies_ends_the_run(running, settings):
    process, children = running
    stages = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    stages[1].kill()
    _, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert re.search(r"keybeam: the process of the stage '[\w ]+' ended early\n", error)
    assert psutil.wait_procs(children, timeout=PATIENCE_S)[1] == []
    assert list(settings.key.parent.iterdir()) == []


def test_codes_are_chosen_by_errors_of_packets_before_and_never_by_those_of_the_packet(settings):
    meter, before = Meter("sift"), []
    for item in stages.sift_clicks(settings, meter, stages.find_clicks(settings, meter)):
        header = header_of(item, Sifted)
        exact = {(errors, bits, age) for errors, bits, age in header.counted if bits == 100_000}
        assert exact == {(errors, 100_000, age) for age, errors in enumerate(before[:4], 1)}
        samples = [count for count in header.counted if count[1] != 100_000]
        assert samples[0] == (header.counts.sampled_errors, header.counts.sampled, 0)
        assert [age for _, _, age in samples] == list(range(min(len(before), 4) + 1))
        before.insert(0, int(np.count_nonzero(item.arrays[0] != item.arrays[1])))
    assert len(before) >= 5
