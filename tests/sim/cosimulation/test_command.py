import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keybeam.device import Board
from keybeam.protocol.identity import Role

START_TIMEOUT_S = 600
END_TIMEOUT_S = 60


def run(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "keybeam", "cosim", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def descendants(pid):
    """All processes that a process has started, and those have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [
        grandchild for child in children for grandchild in descendants(int(child))
    ]


def await_end(pidfds):
    """Wait until processes end; those that have not after a while."""
    left = set(pidfds)
    poll = select.poll()
    for pidfd in left:
        poll.register(pidfd, select.POLLIN)
    while left and (ended := poll.poll(END_TIMEOUT_S * 1000)):
        for pidfd, _ in ended:
            poll.unregister(pidfd)
            left.discard(pidfd)
            os.close(pidfd)
    return left


@pytest.fixture
def command():
    """A running `keybeam cosim --json` and its ports."""
    with run("--json", "--clock-offset", "3") as process:
        try:
            readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
            assert readable, "the co-simulation did not start"
            ports = json.loads(process.stdout.readline())
            yield process, ports
        finally:
            process.kill()


def test_both_boards_identify_themselves_and_interrupt_ends_all_processes(command):
    process, ports = command
    assert ports["pid"] == process.pid
    for name, role in (("transmitter", Role.TRANSMITTER), ("receiver", Role.RECEIVER)):
        with Board(f"serial:{ports[name]}?timeout=30") as board:
            assert board.identity.role == role
            board.write("identity.scratch.value", 0xCAFE_0000 + role)
            assert board.read("identity.scratch.value") == 0xCAFE_0000 + role
    children = [os.pidfd_open(pid) for pid in descendants(process.pid)]
    assert len(children) >= 2
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert not await_end(children)


def test_simulator_ends_when_the_command_is_killed(command):
    process, _ = command
    children = [os.pidfd_open(pid) for pid in descendants(process.pid)]
    process.kill()
    assert not await_end(children)


def test_ends_by_itself_and_writes_the_truth(tmp_path):
    truth = tmp_path / "truth.npz"
    with run("--frames", "2", "--truth", str(truth)) as process:
        output, errors = process.communicate(timeout=START_TIMEOUT_S)
    assert process.returncode == 0, errors
    assert [line.split()[0] for line in output.splitlines()] == ["transmitter", "receiver"]
    assert truth.exists()


def test_failure_to_build_is_one_line_that_names_the_log(tmp_path):
    (tmp_path / "file").touch()
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path)}
    with run(env=environment) as process:
        _, errors = process.communicate(timeout=START_TIMEOUT_S)
    assert process.returncode == 2
    assert "Traceback" not in errors
    (line,) = errors.splitlines()
    log = Path(line.split()[-1])
    assert log.is_relative_to(tmp_path)
    assert "NotADirectoryError" in log.read_text()


@pytest.mark.parametrize(
    "arguments", [["--delay", "10"], ["--loss", "-1"], ["--log-frames", "3"], ["--frames", "0"]]
)
def test_impossible_options_are_refused(arguments):
    with run(*arguments) as process:
        _, errors = process.communicate(timeout=START_TIMEOUT_S)
    assert process.returncode == 2
    assert arguments[0] in errors
    assert "Traceback" not in errors
