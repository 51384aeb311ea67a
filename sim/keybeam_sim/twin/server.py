"""Serve the simulated boards on two TCP ports."""

import multiprocessing
import selectors
import signal
import socket
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin.boards import ReceiverBoard, TransmitterBoard
from keybeam_sim.twin.simulation import PassSimulation, TwinSettings

__all__ = ["TwinProcess", "TwinServer"]

_BUFFER_BYTES = 1 << 16
"""Bytes of records that wait for the host at most, besides one block of them: about 0.2 s."""
_READ_BYTES = 1 << 16
_START_TIMEOUT_S = 60.0


@dataclass
class _Port:
    """One board's port: a listener and at most one connection."""

    board: TransmitterBoard | ReceiverBoard
    listener: socket.socket
    connection: socket.socket | None = None
    outgoing: bytearray = field(default_factory=bytearray)
    was_connected: bool = False

    @property
    def url(self) -> str:
        host, port = self.listener.getsockname()[:2]
        return f"tcp:{host}:{port}"


class TwinServer:
    """Both boards of a simulated pass, each behind a TCP port that speaks the board link.

    Time of the pass begins when ``transmitter.control.run`` and ``receiver.control.stream`` are
    both set, and goes on as fast as the receiver's host takes the records, so equal scenarios
    give equal records whatever the timing. It stands still while the receiver's host takes nothing.
    At the end of the pass (or after ``transmitter.stop_after`` frames) the pattern stops: frames
    come with RUNNING clear for `TwinSettings.tail_frames` more, and then nothing.

    Payload for the downlink is handed over without delay.

    Parameters
    ----------
    scenario : PassScenario
        The pass.
    settings : TwinSettings
        The boards.
    host : str
        Address to listen on.
    transmitter_port, receiver_port : int
        TCP ports; 0 takes free ones.
    """

    def __init__(
        self,
        scenario: PassScenario | None = None,
        settings: TwinSettings | None = None,
        *,
        host: str = "127.0.0.1",
        transmitter_port: int = 0,
        receiver_port: int = 0,
    ) -> None:
        self.simulation = PassSimulation(scenario or PassScenario(), settings or TwinSettings())
        self._receiver = ReceiverBoard(self.simulation)
        self._transmitter = TransmitterBoard(self.simulation)
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._stopped = False
        self._ports = [
            self._listen(self._transmitter, host, transmitter_port),
            self._listen(self._receiver, host, receiver_port),
        ]

    @property
    def transmitter_url(self) -> str:
        """What `keybeam.device.open_transport` takes for the satellite's board."""
        return self._ports[0].url

    @property
    def receiver_url(self) -> str:
        """What `keybeam.device.open_transport` takes for the ground station's board."""
        return self._ports[1].url

    def serve(self) -> None:
        """Serve until the pass is over and both hosts are gone, or `stop` is called."""
        while not self._stopped and not self._done():
            ready = self._selector.select(0 if self._can_advance() else None)
            for key, _ in ready:
                if key.fileobj is self._woken:
                    self._stopped = True
                elif key.fileobj is key.data.listener:
                    self._accept(key.data)
                else:
                    self._exchange(key.data)
            if self._can_advance():
                self._send(self._ports[1], self._receiver.advance())

    def stop(self) -> None:
        """End `serve`, from any thread."""
        self._wake.send(b"x")

    def close(self) -> None:
        """Close all ports."""
        for port in self._ports:
            self._drop(port)
            port.listener.close()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _listen(self, board: TransmitterBoard | ReceiverBoard, host: str, number: int) -> _Port:
        listener = socket.create_server((host, number), backlog=1)
        # Inherited by the connections: keeps the host no further behind than it need be.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        listener.setblocking(False)
        port = _Port(board, listener)
        self._selector.register(listener, selectors.EVENT_READ, port)
        return port

    def _done(self) -> bool:
        gone = all(port.was_connected and port.connection is None for port in self._ports)
        return self.simulation.over and gone

    def _can_advance(self) -> bool:
        port = self._ports[1]
        return (
            port.connection is not None
            and self._receiver.streaming
            and not self._receiver.waiting
            and self.simulation.started
            and not self.simulation.over
            and len(port.outgoing) < _BUFFER_BYTES
        )

    def _accept(self, port: _Port) -> None:
        """Take a connection; while one is open, another is closed at once, as a busy port."""
        connection, _ = port.listener.accept()
        if port.connection is not None:
            connection.close()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port.connection, port.was_connected = connection, True
        self._selector.register(connection, selectors.EVENT_READ, port)
        self._hand_over()

    def _drop(self, port: _Port) -> None:
        if port.connection is not None:
            self._selector.unregister(port.connection)
            port.connection.close()
            port.connection = None
            port.outgoing.clear()

    def _exchange(self, port: _Port) -> None:
        """Take what a host sent, answer, and go on sending what waits."""
        assert port.connection is not None
        try:
            data = port.connection.recv(_READ_BYTES)
        except BlockingIOError:
            self._send(port, b"")
            return
        except OSError:
            data = b""
        if not data:
            self._drop(port)
            return
        self._send(port, port.board.receive(data))
        self._hand_over()
        if self._receiver.streaming:
            self._send(self._ports[1], self._receiver.fences())
        if self._ports[1].connection is not None:
            self._send(self._ports[1], self._receiver.released())

    def _hand_over(self) -> None:
        """Carry the payload from the transmitter to the receiver."""
        if self._transmitter.payload and self._ports[1].connection is not None:
            payload = bytes(self._transmitter.payload)
            self._transmitter.payload.clear()
            self._send(self._ports[1], self._receiver.message(payload))

    def _send(self, port: _Port, data: bytes) -> None:
        if port.connection is None:
            return
        port.outgoing += data
        try:
            if port.outgoing:
                sent = port.connection.send(port.outgoing)
                del port.outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(port)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if port.outgoing else 0)
        self._selector.modify(port.connection, wanted, port)


def _serve(connection: Connection, scenario: PassScenario, settings: TwinSettings) -> None:
    # Ctrl-C reaches every process of a terminal; the one that started the twin ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with TwinServer(scenario, settings) as server:
        connection.send((server.transmitter_url, server.receiver_url))
        server.serve()


class TwinProcess:
    """A `TwinServer` in a process of its own; a context manager.

    Parameters
    ----------
    scenario : PassScenario
        The pass.
    settings : TwinSettings
        The boards.

    Attributes
    ----------
    transmitter_url, receiver_url : str
        What `keybeam.device.open_transport` takes, once the block is entered.

    Raises
    ------
    RuntimeError
        If the process does not start.
    """

    def __init__(
        self, scenario: PassScenario | None = None, settings: TwinSettings | None = None
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._answer, connection = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_serve,
            args=(connection, scenario or PassScenario(), settings or TwinSettings()),
            name="keybeam-twin",
            daemon=True,
        )
        self._remote = connection
        self.transmitter_url = self.receiver_url = ""

    def __enter__(self) -> Self:
        self._process.start()
        self._remote.close()
        try:
            if not self._answer.poll(_START_TIMEOUT_S):
                raise RuntimeError("the twin did not start in time")
            self.transmitter_url, self.receiver_url = self._answer.recv()
        except (EOFError, RuntimeError) as error:
            self._process.kill()
            raise RuntimeError(f"the twin did not start: {error or 'it ended'}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.join()
        self._process.close()
        self._answer.close()
