"""Phases, rates, and the commands that show them, on captures whose content is known."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from keybeam.device import Transmitter
from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_DURATION_PS, SLOT_PS
from keybeam.protocol.records import (
    FINE_PS,
    FRAME_COUNTER_BITS,
    FRAME_VALID,
    RecordType,
    pack_records,
)
from keybeam.tags import AnalysisError, CaptureMetadata, write_capture
from keybeam.tags.command import tags
from keybeam.tags.phases import PhaseReference, phase_histogram
from keybeam.tags.rates import RateCounter, capture_rates
from keybeam.timing import RecordDecoder
from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin import TwinProcess, TwinSettings

FRAMES, PER_FRAME = 500, 20
PHASES = {0: (0.0, 100.0), 2: (250.0, 60.0)}
"""Mean and spread in ps of two channels."""


@pytest.fixture
def capture(tmp_path, generator):
    """Frames on a clock that runs 20 ppm fast, with detections of two channels at known phases."""
    starts = (np.arange(FRAMES) * float(FRAME_DURATION_PS)) * (1 + 20e-6) + 1e9
    rows = []
    for frame, start in enumerate(starts):
        rows.append((start, 0, pack_records(RecordType.SYNC, 0, round(start / FINE_PS))))
        body = frame | int(FrameFlag.RUNNING) << FRAME_COUNTER_BITS
        rows.append((start, 1, pack_records(RecordType.FRAME, FRAME_VALID, body)))
    for channel, (mean, spread) in PHASES.items():
        slots = generator.integers(0, (FRAMES - 1) * 65_536, FRAMES * PER_FRAME)
        sent = (slots + 0.5) * SLOT_PS + mean + generator.normal(0, spread, slots.size)
        times = sent * (1 + 20e-6) + 1e9
        for time in times:
            body = round(time / FINE_PS)
            rows.append((time, 2, pack_records(RecordType.TAG, channel, body)))
    rows.sort(key=lambda row: row[:2])
    path = tmp_path / "frames.h5"
    records = np.array([row[2] for row in rows], np.uint64)
    write_capture(path, np.array_split(records, 11), CaptureMetadata(comment="two channels"))
    return path


def test_phases_against_the_sync_words(capture):
    found = phase_histogram(capture, bins=160)
    assert set(found.counts) == {0, 2}
    middles = (found.edges_ps[1:] + found.edges_ps[:-1]) / 2
    for channel, (mean, spread) in PHASES.items():
        counts = found.counts[channel]
        assert counts.sum() > 0.95 * FRAMES * PER_FRAME
        average = (counts * middles).sum() / counts.sum()
        assert average == pytest.approx(mean, abs=5)
        assert found.centres_ps[channel] == pytest.approx(mean, abs=5)
        assert np.sqrt((counts * (middles - average) ** 2).sum() / counts.sum()) == pytest.approx(
            spread, rel=0.05
        )
        # The mean vector of a wrapped normal distribution.
        turns = 2 * np.pi * spread / SLOT_PS
        assert found.contrasts[channel] == pytest.approx(np.exp(-(turns**2) / 2), abs=0.01)
    assert found.gated[0] > 0.999
    delayed = phase_histogram(capture, bins=160, delay_ps=250.0)
    assert delayed.centres_ps[2] == pytest.approx(0, abs=5)


def test_phases_against_the_receivers_clock(tmp_path):
    """One detection in every bin of a slot, whole slots apart; here all channels count."""
    bins = 16
    times = (np.arange(bins) + 0.5) * SLOT_PS / bins + np.arange(bins) * 10 * SLOT_PS
    records = pack_records(RecordType.TAG, 6, np.rint(times / FINE_PS).astype(np.int64))
    write_capture(tmp_path / "clock.h5", [records])
    found = phase_histogram(tmp_path / "clock.h5", bins=bins, reference=PhaseReference.CLOCK)
    assert found.counts[6].tolist() == [1] * bins
    assert found.contrasts[6] == pytest.approx(0, abs=1e-9)
    with pytest.raises(AnalysisError, match="receiver's clock"):
        phase_histogram(tmp_path / "clock.h5")


def test_rates(tmp_path):
    second = round(1e12 / FINE_PS)
    rows = [(1000 + second * k // 100, 0) for k in range(300)]
    rows += [(1000 + second + second * k // 50, 3) for k in range(50)]
    rows.sort()
    times, channels = np.array(rows).T
    records = pack_records(RecordType.TAG, channels, times)
    records = np.append(records, pack_records(RecordType.EPOCH, 0, 1000 + 3 * second))
    write_capture(tmp_path / "rates.h5", np.array_split(records, 13))
    times, found = capture_rates(tmp_path / "rates.h5", 1.0)
    assert times.tolist() == [0.5, 1.5, 2.5]
    assert {channel: rates.tolist() for channel, rates in found.items()} == {
        0: [100, 100, 100],
        3: [0, 50, 0],
    }
    times, found = capture_rates(tmp_path / "rates.h5", 0.5)
    assert found[0].tolist() == [100] * 6
    counter, decoder = RateCounter(0.5, keep=2), RecordDecoder(channels=64)
    for part in np.array_split(records, 13):
        counter.feed(decoder.feed(part))
    assert counter.rates()[0].tolist() == [2.25, 2.75]
    assert counter.rates()[1][0].tolist() == [100, 100]
    with pytest.raises(AnalysisError, match="shorter"):
        capture_rates(tmp_path / "rates.h5", 10.0)
    with pytest.raises(AnalysisError, match="longer"):
        capture_rates(tmp_path / "rates.h5", 1e-6)


def test_the_clock_of_a_capture(capture):
    states = json.loads(run("clock", capture, "--window", "0.01", "--json"))["states"]
    assert len(states) == 6
    for state in states:
        # The sync words are exact but for the steps of their times.
        assert state["rate"] == pytest.approx(20e-6, abs=6 * state["rate_error"])
        assert state["scatter_ps"] < 0.2
    done = CliRunner().invoke(tags, ["clock", str(capture), "--window", "0.001"])
    assert done.exit_code == 0


def run(*words):
    done = CliRunner().invoke(tags, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["histogram"], "channels"),
        (["rates", "--interval", "0.001"], "rates"),
        (["g2", "--first", "H", "--second", "2", "--stretch", "0.01"], "g2"),
        (["clock", "--window", "0.01"], "states"),
    ],
)
def test_every_analysis_has_text_json_and_page(capture, tmp_path, words, key):
    command, *options = words
    page = tmp_path / "plot.html"
    text = run(command, capture, *options, "--html", page)
    assert "frames.h5" in text
    assert "┤" in text
    assert "\x1b" not in text
    html = page.read_text("utf-8")
    assert "<svg" in html
    assert not re.search(r'(src|href)="(?!#)', html)
    assert json.loads(run(command, capture, *options, "--json"))[key]


def test_rates_of_a_board(tmp_path):
    scenario = PassScenario(duration_s=0.5)
    with (
        TwinProcess(scenario, TwinSettings(tail_frames=64)) as twin,
        Transmitter(twin.transmitter_url) as transmitter,
    ):
        transmitter.write("transmitter.control.run", 1)
        options = ["--silence", "0.5", "--interval", "0.05", "--html", tmp_path / "rates.html"]
        out = run("rates", "--port", twin.receiver_url, *options, "--json")
    found = json.loads(out)
    assert len(found["times_s"]) == pytest.approx(10, abs=1)
    assert set(found["rates"]) == {"H", "V", "D", "A"}
    assert (tmp_path / "rates.html").exists()


def test_conversion_there_and_back(capture, tmp_path):
    run("convert", capture, tmp_path / "x.ptu")
    assert json.loads(run("convert", tmp_path / "x.ptu", tmp_path / "x.h5", "--json"))["events"]
    before, after = (
        json.loads(run("info", path, "--json"))["tags"] for path in (capture, tmp_path / "x.h5")
    )
    assert before == after


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert", "{}", "y.h5"], "must end in .ptu"),
        (["convert", "{}", "{}.ptu"], "exists"),
        (["rates"], "give a capture, or --port"),
        (["g2", "{}", "--first", "X"], "no channel"),
        (["g2", "{}", "--first", "64"], "no channel"),
        (["g2", "{}", "--bin", "nan"], "not a finite number"),
        (["rates", "{}", "--interval", "inf"], "not a finite number"),
        (["histogram", "{}", "--html", "missing/page.html"], "no folder 'missing'"),
    ],
)
def test_what_makes_no_sense(capture, words, message):
    capture.with_name("frames.h5.ptu").touch()
    done = CliRunner().invoke(tags, [word.format(capture) for word in words])
    assert done.exit_code == 2
    assert message in done.stderr
