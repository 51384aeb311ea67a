"""A recorded pass from its files to key, in one process and in several."""

import os
import re
import signal
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import msgspec
import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from keybeam.distillation import BlockCounts, NoCodeError, binary_entropy
from keybeam.distillation.verification import TAG_BITS
from keybeam.key_length import (
    BasisCounts,
    SiftedCounts,
    composable_key_length,
    paper_key_length,
)
from keybeam.pipeline import (
    PipelineError,
    PipelineResult,
    SymbolRecord,
    SymbolRecordError,
    process_pass,
    stages,
)
from keybeam.pipeline.command import pipeline
from keybeam.pipeline.items import Sifted, header_of
from keybeam.pipeline.meter import Meter
from keybeam.protocol.symbols import Basis, Intensity, basis_of, bit_of, intensity_of
from keybeam.tags import Capture, decode_capture
from keybeam.timing import PulseIndexer, gate
from keybeam_sim.recording import SOURCES, RecordedLink
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


def test_a_basis_that_only_checks_makes_no_key_but_bounds_it(biased):
    """Length by the analysis of two bases from counts that the files alone give."""
    result = process_pass(biased)
    (block,) = result.blocks
    source = SOURCES["fibre"]
    key, check = sifted_in_bases(biased)
    assert block.signal == 100_000 * result.packets >= 800_000
    # The sample is one of 2 %, and the pass is cut off at the last packet.
    kept = block.signal / key.clicks[0]
    assert 0.85 < kept < 0.98
    assert block.decoy == pytest.approx(key.clicks[1] * kept, rel=0.02)
    assert block.decoy_errors == pytest.approx(key.errors[1] * kept, rel=0.2)
    assert block.qber == pytest.approx(key.errors[0] / key.clicks[0], rel=0.02)
    scaled = [
        BasisCounts(
            tuple(round(clicks * kept) for clicks in basis.clicks),
            (round(basis.errors[0] * kept), round(basis.errors[1] * kept), None),
        )
        for basis in (key, check)
    ]
    counts = SiftedCounts(*scaled, packets=result.packets)
    expected = composable_key_length(counts, block.leak_bits, source)
    assert block.length_bits == pytest.approx(expected.length_bits, rel=0.03)
    assert block.length_bits > 0.3 * block.signal


def test_the_command_takes_such_a_source(biased):
    source = SOURCES["fibre"]
    words = ["--intensities", *source.intensities, "--probabilities", *source.probabilities]
    words += ["--key-basis-probability", source.key_basis_probability]
    words += ["--block-packets", 20, "--sample-fraction", 0.02, "--mode", biased.mode]
    words += ["--workers", 0, "--seed", biased.seed, "--json"]
    files = [biased.captures[0], "--symbols", biased.symbols]
    done = CliRunner().invoke(pipeline, [str(word) for word in files + words])
    assert done.exit_code == 0, done.output
    result = msgspec.json.decode(done.stdout, type=PipelineResult)
    assert result.blocks == process_pass(biased).blocks


def sifted_in_bases(settings):
    """Clicks of each basis that both ends chose, by looking up every pulse."""
    (capture,) = settings.captures
    indexer, clicks = PulseIndexer(), []
    with Capture(capture) as tags:
        for chunk in decode_capture(tags):
            clicks.append(indexer.feed(chunk))
    clicks.append(indexer.finish())
    clicks = gate(np.concatenate(clicks))
    with closing(SymbolRecord(settings.symbols)) as record:
        _, symbols = record.look_up(clicks["index"])
    bases = []
    for basis in (Basis.RECTILINEAR, Basis.DIAGONAL):
        here = (basis_of(symbols) == basis) & (basis_of(clicks["channel"]) == basis)
        wrong = bit_of(symbols) != bit_of(clicks["channel"])
        each = [here & (intensity_of(symbols) == i) for i in Intensity if i != Intensity.INVALID]
        bases.append(
            BasisCounts(
                tuple(np.count_nonzero(one) for one in each),
                tuple(np.count_nonzero(one & wrong) for one in each),
            )
        )
    return bases


def test_what_a_source_cannot_be_is_told(settings):
    for changed, named in (
        ({"key_basis_probability": 1.0}, "key_basis_probability"),
        ({"key_basis_probability": 0.9}, "knows no basis that only checks"),
        ({"block_packets": 0}, "1 to 1024 packets"),
        ({"block_packets": 1025}, "1 to 1024 packets"),
    ):
        with pytest.raises(PipelineError, match=named):
            replace(settings, **changed)


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
