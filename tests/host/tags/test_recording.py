"""Recording from a receiver that is served by the twin."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest
from click.testing import CliRunner

from keybeam.device import DeviceError, Receiver, RecordLoss, Transmitter
from keybeam.tags import (
    Capture,
    CaptureFullError,
    CaptureWriter,
    SilentBoardError,
    read_capture,
    record,
)
from keybeam.tags import capture as capture_module
from keybeam.tags.command import tags
from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin import PassSimulation, TwinProcess, TwinSettings

SETTINGS = TwinSettings(tail_frames=64)


@pytest.fixture
def running(monkeypatch):
    """Starts twins of a pass of so many seconds; gives the receiver.

    The transmitter begins once this process has the receiver's stream on, so that all of the pass
    is behind the fence; or at once.
    """
    with ExitStack() as stack:

        def start(seconds, *, at_once=False):
            scenario = PassScenario(duration_s=seconds)
            twin = stack.enter_context(TwinProcess(scenario, SETTINGS))
            transmitter = stack.enter_context(Transmitter(twin.transmitter_url))
            start_stream = Receiver.start_stream

            def start_both(board):
                start_stream(board)
                transmitter.write("transmitter.control.run", 1)

            if at_once:
                transmitter.write("transmitter.control.run", 1)
            else:
                monkeypatch.setattr(Receiver, "start_stream", start_both)
            return twin.receiver_url

        yield start


def expected_records(seconds, count=1 << 40):
    """The first records of a pass of so many seconds, at least `count` if there are."""
    simulation = PassSimulation(PassScenario(duration_s=seconds), SETTINGS)
    simulation.start(0)
    parts = []
    while not simulation.over and sum(part.size for part in parts) < count:
        parts.append(simulation.advance())
    return np.concatenate(parts)


def all_records(path):
    packets = list(read_capture(path))
    assert not any(packet.lost for packet in packets)
    return np.concatenate([packet.records for packet in packets])


def test_everything_until_the_board_falls_silent(running, tmp_path):
    path = tmp_path / "all.h5"
    words = ["record", str(path), "--port", running(0.4), "--silence", "0.5", "--comment", "short"]
    done = CliRunner().invoke(tags, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    np.testing.assert_array_equal(all_records(path), expected_records(0.4))
    summary = json.loads(done.stdout)
    assert summary["complete"] is True
    assert summary["metadata"]["comment"] == "short"
    assert summary["metadata"]["registers"]["identity.role"] == 2
    assert summary["metadata"]["source"].startswith("tcp:")
    assert summary["duration_s"] == pytest.approx(0.4, abs=0.02)


def test_a_time_by_the_boards_clock(running, tmp_path):
    path = tmp_path / "part.h5"
    with Receiver(running(30.0)) as board, CaptureWriter(path) as writer:
        seconds = record(board, writer, duration_s=0.3)
        assert board.read("receiver.control.stream") == 0
    assert 0.3 <= seconds < 3
    records = all_records(path)
    np.testing.assert_array_equal(records, expected_records(30.0, records.size)[: records.size])


def test_an_interrupt_leaves_a_sound_capture(running, tmp_path):
    path = tmp_path / "interrupted.h5"
    command = [sys.executable, "-m", "keybeam", "tags", "record", "--json", str(path)]
    with subprocess.Popen(
        [*command, "--port", running(600.0, at_once=True)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        part = path.with_name(path.name + ".part")
        while not (part.exists() and part.stat().st_size > 100_000):
            assert process.poll() is None
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    summary = json.loads(out)
    assert summary["complete"] is True
    assert summary["records"] == all_records(path).size > 0
    assert not part.exists()


def test_a_full_disk_is_one_line(running, tmp_path, monkeypatch):
    path = tmp_path / "full.h5"
    usage = capture_module.shutil.disk_usage(tmp_path)
    free = iter([1 << 40, *[1000] * 100])
    monkeypatch.setattr(
        capture_module.shutil, "disk_usage", lambda folder: usage._replace(free=next(free))
    )
    done = CliRunner().invoke(tags, ["record", str(path), "--port", running(60.0)])
    assert isinstance(done.exception, CaptureFullError)
    with Capture(path) as capture:
        assert not capture.complete
        assert capture.count >= 1 << 16
    done = CliRunner().invoke(tags, ["info", str(path)])
    assert "the disk was full" in done.stdout


class FakeBoard:
    """Gives prepared answers instead of a board's records."""

    name = "fake"

    def __init__(self, answers):
        self.answers = list(answers)

    def start_stream(self):
        pass

    def stop_stream(self):
        pass

    def records(self, timeout):
        answer = self.answers.pop(0) if self.answers else np.empty(0, np.uint64)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_losses_of_the_link_are_kept(tmp_path):
    some = np.arange(3, dtype=np.uint64) | np.uint64(2 << 60)
    board = FakeBoard([some, RecordLoss(17), some, RecordLoss(None), some])
    with CaptureWriter(tmp_path / "lossy.h5") as writer:
        record(board, writer, silence_s=0.0)
    found = [(packet.records.size, packet.lost) for packet in read_capture(tmp_path / "lossy.h5")]
    assert found == [(3, 0), (0, 17), (3, 0), (0, None), (3, 0)]


def test_a_silent_board_leaves_nothing(tmp_path):
    with (
        pytest.raises(SilentBoardError, match="fake has sent nothing"),
        CaptureWriter(tmp_path / "none.h5") as writer,
    ):
        record(FakeBoard([]), writer, silence_s=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_board_that_is_gone(tmp_path):
    with (
        pytest.raises(DeviceError, match="unplugged"),
        CaptureWriter(tmp_path / "none.h5") as writer,
    ):
        record(FakeBoard([DeviceError("unplugged")]), writer)


def test_an_existing_file_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "there.h5"
    path.write_text("precious")
    done = CliRunner().invoke(tags, ["record", str(path), "--port", "tcp:127.0.0.1:1"])
    assert done.exit_code == 2
    assert "exists" in done.stderr
    assert path.read_text() == "precious"
