"""Simulated instruments behind TCP ports, as real ones on a network are."""

import socket
import socketserver
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from keybeam_sim.laboratory.bench import Bench
from keybeam_sim.laboratory.meters import (
    FrequencyCounter,
    Oscilloscope,
    PowerMeter,
    SpectrumAnalyser,
)
from keybeam_sim.laboratory.mounts import RotationBus
from keybeam_sim.laboratory.scpi import ScpiDevice
from keybeam_sim.laboratory.sources import (
    Attenuator,
    BiasSource,
    LaserController,
    WaveformGenerator,
)

__all__ = ["Laboratory"]

Take = Callable[[bytearray], bytes]
"""Carries out the complete messages at the begin of what was received, and gives the answers."""


def _by_line(device: ScpiDevice) -> Take:
    """Messages that end by a line feed."""

    def take(received: bytearray) -> bytes:
        answers = b""
        while (end := received.find(b"\n")) >= 0:
            line = received[:end].decode("ascii", "replace").strip()
            del received[: end + 1]
            answers += device.handle(line) or b""
        return answers

    return take


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, take: Take, lock: threading.Lock) -> None:
        self.take, self.lock = take, lock
        super().__init__((host, port), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        received = bytearray()
        while chunk := self._receive():
            received += chunk
            # All instruments share one bench: one message is carried out after the other.
            with self.server.lock:
                answer = self.server.take(received)
            if answer:
                self.request.sendall(answer)

    def _receive(self) -> bytes:
        try:
            chunk = bytes(self.request.recv(1 << 16))
            # Else a command and the question behind it wait 40 ms for one another.
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            return chunk
        except ConnectionError:
            return b""


class Laboratory:
    """All simulated instruments around one bench, each behind a TCP port of its own.

    Parameters
    ----------
    seed : int
        Of everything random at the bench.
    host : str
        Address to listen at.
    first_port : int
        Ports are counted up from here; 0 lets the system choose free ones.
    """

    def __init__(self, seed: int = 1, host: str = "127.0.0.1", first_port: int = 0) -> None:
        self.bench = bench = Bench(seed)
        lock = threading.Lock()
        takes: dict[str, Take] = {
            "laser": _by_line(LaserController(bench)),
            "trigger": _by_line(WaveformGenerator(bench, {"1": "trigger_v"})),
            "drives": _by_line(WaveformGenerator(bench, {"1": "drive_v", "2": "polarisation_v"})),
            "bias": _by_line(BiasSource(bench)),
            "attenuator": _by_line(Attenuator(bench)),
            "power": _by_line(PowerMeter(bench, bench.metered_power_w)),
            "analysed": _by_line(PowerMeter(bench, bench.analysed_power_w)),
            "mounts": RotationBus(bench).take,
            "oscilloscope": _by_line(Oscilloscope(bench)),
            "counter": _by_line(FrequencyCounter(bench)),
            "spectrum": _by_line(SpectrumAnalyser(bench)),
        }
        self._servers = {
            name: _Server(host, first_port + number if first_port else 0, take, lock)
            for number, (name, take) in enumerate(takes.items())
        }
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            for server in self._servers.values()
        ]

    def resource(self, name: str) -> str:
        """VISA resource name of an instrument."""
        host, port = self._servers[name].server_address[:2]
        return f"TCPIP::{host!s}::{port}::SOCKET"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()
