"""Ways to a board: a serial port (or a pseudo-terminal that stands for one) or a TCP connection.

A `Transport` moves bytes and knows nothing of what they mean.
"""

import errno
import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

from keybeam.device.errors import (
    ConnectionLostError,
    DeviceError,
    LinkTimeoutError,
    PortBusyError,
    PortMissingError,
    PortUrlError,
)
from keybeam.errors import KeybeamError
from keybeam.protocol.link import UART_BAUD

__all__ = ["SerialTransport", "TcpTransport", "Transport", "open_transport"]

ANSWER_TIMEOUT_S = 0.5
"""Seconds a board has for its answer when the name of the port does not say."""

SERIAL_WINDOW = 448
"""Credit on a serial port. With one frame more, 3840 bytes, it fits the 4095 that Linux holds for a
terminal that nobody reads (N_TTY_BUF_SIZE in drivers/tty/n_tty.c)."""
TCP_WINDOW = 1 << 17
"""Credit on a TCP connection, which holds its sender back itself and loses nothing."""

_CONNECT_TIMEOUT_S = 5.0
_WRITE_TIMEOUT_S = 5.0
_CHUNK_BYTES = 1 << 16
_LEAST_WAIT_S = 0.02
"""How long bytes are waited for before the other clock is looked at again."""


class Transport(ABC):
    """Bytes to and from a board.

    Parameters
    ----------
    name : str
        How messages call it.
    answer_timeout : float
        Seconds a board at this port has to answer a request.

    Attributes
    ----------
    credit_window : int
        Credit for tag records that the board may have in hand, in units of 8 bytes: no more than
        waits without loss while this program does not read.
    """

    def __init__(self, name: str, answer_timeout: float = ANSWER_TIMEOUT_S) -> None:
        self.name = name
        self.answer_timeout = answer_timeout
        self.now: Callable[[], float] = time.monotonic
        self.least_wait = 0.0
        self.credit_window = SERIAL_WINDOW

    def count_by(self, now: Callable[[], float], answer_timeout: float) -> None:
        """Count the seconds of time-outs by another clock, such as that of a simulation.

        Parameters
        ----------
        now : callable
            Tells seconds since some moment.
        answer_timeout : float
            Seconds by this clock that a board has to answer a request.
        """
        self.now, self.answer_timeout, self.least_wait = now, answer_timeout, _LEAST_WAIT_S

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises
        ------
        LinkTimeoutError
            If the other end does not take it.
        ConnectionLostError
            If the port is gone.
        """

    @abstractmethod
    def read(self, timeout: float) -> bytes:
        """Whatever has arrived; waits up to `timeout` seconds for a first byte.

        Raises
        ------
        ConnectionLostError
            If the port is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the port back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class SerialTransport(Transport):
    """A serial port, opened for this program alone.

    Parameters
    ----------
    path : str
        Device, such as ``/dev/ttyUSB0``; a pseudo-terminal will do.
    baud : int
        Bits a second.
    answer_timeout : float
        See `Transport`.

    Raises
    ------
    PortMissingError
        If there is no such port, it is no serial port, or may not be opened.
    PortBusyError
        If another program has it open.
    """

    _POLL_S = 0.02

    def __init__(
        self, path: str, baud: int = UART_BAUD, answer_timeout: float = ANSWER_TIMEOUT_S
    ) -> None:
        super().__init__(path, answer_timeout)
        try:
            import serial
        except ModuleNotFoundError as error:
            raise KeybeamError(
                f"the serial port {path} needs pyserial: pip install 'keybeam[lab]'"
            ) from error
        self._errors = (serial.SerialException, OSError)
        self._late = serial.SerialTimeoutException
        try:
            self._port: serial.Serial = serial.Serial(
                path,
                baud,
                timeout=self._POLL_S,
                write_timeout=_WRITE_TIMEOUT_S,
                exclusive=True,
            )
            self._port.reset_input_buffer()
        except (*self._errors, ValueError) as error:
            raise _serial_error(path, baud, error) from error

    def write(self, data: bytes) -> None:
        """Send all of `data`; see `Transport.write`."""
        try:
            self._port.write(data)
        except self._late as error:
            raise LinkTimeoutError(
                f"{self.name} takes no bytes for {_WRITE_TIMEOUT_S:g} s: is the board running?"
            ) from error
        except self._errors as error:
            raise ConnectionLostError(f"{self.name} is gone: is the cable in?") from error

    def read(self, timeout: float) -> bytes:
        """Whatever has arrived; see `Transport.read`."""
        end = time.monotonic() + timeout
        try:
            while True:
                waiting = self._port.in_waiting
                if waiting:
                    return self._port.read(waiting)
                if time.monotonic() >= end:
                    return b""
                if first := self._port.read(1):
                    return first + self._port.read(self._port.in_waiting)
        except self._errors as error:
            raise ConnectionLostError(f"{self.name} is gone: is the cable in?") from error

    def close(self) -> None:
        """Give the port back."""
        self._port.close()


def _serial_error(path: str, baud: int, error: Exception) -> DeviceError:
    """Choose the typed error for what pyserial said while opening."""
    number = getattr(error, "errno", None)
    if number == errno.EBUSY or "lock" in str(error):
        return PortBusyError(f"{path} is in use by another program: close that one first")
    if number == errno.EACCES:
        return PortMissingError(f"{path} may not be opened: is this user in its group (dialout)?")
    if isinstance(error, ValueError) or "baud" in str(error):
        return PortUrlError(f"{path} cannot run at {baud} bits/s")
    if number == errno.ENOENT or not os.path.exists(path):
        return PortMissingError(f"there is no port {path}: is the board plugged in?")
    return PortMissingError(f"{path} is not a serial port")


class TcpTransport(Transport):
    """A TCP connection to something that serves a board.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        TCP port.
    answer_timeout : float
        See `Transport`.

    Raises
    ------
    PortMissingError
        If nothing listens there.
    """

    def __init__(self, host: str, port: int, answer_timeout: float = ANSWER_TIMEOUT_S) -> None:
        super().__init__(f"tcp:{host}:{port}", answer_timeout)
        self.credit_window = TCP_WINDOW
        try:
            self._socket = socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S)
        except OSError as error:
            reason = error.strerror or str(error)
            raise PortMissingError(f"nothing answers at {self.name} ({reason})") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        """Send all of `data`; see `Transport.write`."""
        try:
            self._socket.settimeout(_WRITE_TIMEOUT_S)
            self._socket.sendall(data)
        except TimeoutError as error:
            raise LinkTimeoutError(
                f"{self.name} takes no bytes for {_WRITE_TIMEOUT_S:g} s"
            ) from error
        except OSError as error:
            raise ConnectionLostError(f"the connection to {self.name} is lost") from error

    def read(self, timeout: float) -> bytes:
        """Whatever has arrived; see `Transport.read`."""
        try:
            self._socket.settimeout(timeout)
            data = self._socket.recv(_CHUNK_BYTES)
        except (TimeoutError, BlockingIOError):
            return b""
        except OSError as error:
            raise ConnectionLostError(f"the connection to {self.name} is lost") from error
        if not data:
            raise ConnectionLostError(f"{self.name} closed the connection")
        return data

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def _number(url: str, text: str, meaning: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise PortUrlError(f"port {url!r}: {meaning} must be {low:g} to {high:g}, not {text!r}")
    return value


def open_transport(url: str) -> Transport:
    """Open the way to a board.

    Parameters
    ----------
    url : str
        ``/dev/ttyUSB0`` or ``serial:/dev/ttyUSB0?baud=3000000``, or ``tcp:HOST:PORT``. Behind a
        question mark also ``timeout=SECONDS`` that the board has for an answer.

    Raises
    ------
    PortUrlError
        If `url` is none of these.
    PortMissingError, PortBusyError
        If it cannot be opened.
    """
    place, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    kind, colon, rest = place.partition(":")
    if not colon or kind not in ("serial", "tcp"):
        kind, rest = "serial", place
    allowed = {"serial": {"baud", "timeout"}, "tcp": {"timeout"}}[kind]
    if not rest or not options.keys() <= allowed or (query and not options):
        raise PortUrlError(
            f"port {url!r} is not understood: "
            "give /dev/ttyUSB0, serial:/dev/ttyUSB0?baud=3000000 or tcp:HOST:PORT"
        )
    timeout = _number(
        url, options.get("timeout", str(ANSWER_TIMEOUT_S)), "timeout in seconds", 1e-3, 3600
    )
    if kind == "serial":
        baud = _number(url, options.get("baud", str(UART_BAUD)), "baud", 300, 50e6)
        return SerialTransport(rest, int(baud), timeout)
    host, _, port = rest.rpartition(":")
    return TcpTransport(
        host.strip("[]") or "127.0.0.1", int(_number(url, port, "TCP port", 1, 65535)), timeout
    )
