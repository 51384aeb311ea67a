"""A co-simulation as a process: start it, wait for the boards' ports, end it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from keybeam.device import FoundPort
from keybeam.errors import KeybeamError
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ
from keybeam_sim.cosimulation.settings import SETTINGS_FILE, RunSettings

__all__ = ["Cosimulation", "CosimulationError"]

_END_TIMEOUT_S = 10.0
_CLOCK_FILE = "clock"


class CosimulationError(KeybeamError):
    """The co-simulation could not be built, or ended by itself with an error."""


class Cosimulation:
    """Two co-simulated boards, each behind a pseudo-terminal.

    A context manager: leaving it ends the simulation and all its processes.
    They also end when this process dies, since they watch its end of a socket.

    Parameters
    ----------
    settings : RunSettings
        What to run.
    report_progress : callable
        Told in a few words what is going on while the boards are built.
    start_timeout : float
        Seconds that building and starting may take.

    Attributes
    ----------
    transmitter, receiver : str
        Paths of the pseudo-terminals, which stand for the boards' serial ports.
    ports : list of FoundPort
        The same for `keybeam.device.announce_boards`.
    pid : int
        The process that runs the simulator.

    Raises
    ------
    CosimulationError
        If the simulation cannot be built or started.
    """

    def __init__(
        self,
        settings: RunSettings,
        report_progress: Callable[[str], None] = lambda _: None,
        start_timeout: float = 900.0,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="keybeam-cosim-"))
        clock = str(self._folder / _CLOCK_FILE)
        settings = msgspec.structs.replace(settings, clock=clock)
        (self._folder / SETTINGS_FILE).write_bytes(msgspec.json.encode(settings))
        self.log = self._folder / "cosimulation.log"
        self._control, theirs = socket.socketpair()
        with theirs, self.log.open("wb") as log:
            # A session of its own: the terminal's Ctrl-C is for this process to answer.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "keybeam_sim.cosimulation.worker", str(self._folder)],
                stdin=theirs,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        try:
            ports = self._await_ports(report_progress, start_timeout)
        except BaseException as error:
            self._control.close()
            self._stop_children()
            if not isinstance(error, CosimulationError):
                shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.transmitter, self.receiver = ports["transmitter"], ports["receiver"]
        baud = round(FABRIC_CLOCK_HZ / settings.boards.uart_divisor)
        self.ports = [
            FoundPort(path, f"simulated {role}", baud, clock) for role, path in ports.items()
        ]

    def _await_ports(
        self, report_progress: Callable[[str], None], start_timeout: float
    ) -> dict[str, str]:
        end = time.monotonic() + start_timeout
        waiting = b""
        while True:
            self._control.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self._control.recv(4096)
            except TimeoutError:
                raise CosimulationError(
                    f"the simulator did not start in {start_timeout:g} s: see {self.log}"
                ) from None
            if not data:
                raise CosimulationError(f"the simulation could not be started: see {self.log}")
            *lines, waiting = (waiting + data).split(b"\n")
            for line in lines:
                message = msgspec.json.decode(line, type=dict[str, str])
                if "progress" not in message:
                    return message
                report_progress(message["progress"])

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the simulation ends by itself, or for `timeout` seconds.

        Raises
        ------
        CosimulationError
            If it ends with an error.
        """
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return
        if status:
            raise CosimulationError(f"the simulation ended with an error: see {self.log}")

    def close(self) -> None:
        """End the simulation; the log is kept where it ended with an error.

        What the settings ask to be written is written before.
        """
        if self._control.fileno() < 0:
            return
        self._control.close()
        try:
            status = self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            status = 1
        self._stop_children()
        if status == 0:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _stop_children(self) -> None:
        """Kill whatever is left of the simulator's process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
