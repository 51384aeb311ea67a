"""Messages to an instrument, through PyVISA."""

import functools
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import pyvisa
from pyvisa.constants import StatusCode

from keybeam.instruments.errors import InstrumentError, InstrumentTimeoutError

__all__ = ["DEFAULT_BACKEND", "Link", "Terminations", "VisaLink"]

DEFAULT_BACKEND = "@py"
"""PyVISA's backend in Python, which needs no vendor's library."""


_ADVICE = "is the instrument on, is the address right, and does nothing else use it?"


@dataclass(frozen=True)
class Terminations:
    """What ends messages, and how fast a serial line is.

    Attributes
    ----------
    write, read : str
        Characters behind a message to and from the instrument.
    baud_rate : int
        Of a serial line, in bit/s; nothing else uses it.
    """

    write: str = "\n"
    read: str = "\n"
    baud_rate: int = 9600


class Link(Protocol):
    """A way to exchange messages with an instrument."""

    name: str
    """Where the instrument is, such as a VISA resource name."""

    def write(self, message: str) -> None:
        """Send a message."""

    def query(self, message: str, *, timeout_s: float | None = None) -> str:
        """Send a message and wait for the answer, without its termination."""

    def query_block(self, message: str) -> bytes:
        """Send a message and wait for a definite-length block (IEEE 488.2, section 8.7.9)."""

    def close(self) -> None:
        """Free the port."""


class VisaLink:
    """A link through PyVISA.

    Parameters
    ----------
    name : str
        VISA resource name, such as ``TCPIP::192.168.1.5::5025::SOCKET`` or ``ASRL/dev/ttyUSB0``.
    terminations : Terminations
        What ends messages.
    timeout_s : float
        How long an answer may take, in seconds.
    backend : str
        PyVISA's backend, or a backend's file in front of ``@``.

    Raises
    ------
    InstrumentError
        If there is no such resource or backend.
    """

    def __init__(
        self,
        name: str,
        terminations: Terminations,
        *,
        timeout_s: float = 5.0,
        backend: str = DEFAULT_BACKEND,
    ) -> None:
        self.name = name
        self._timeout_s = timeout_s
        try:
            self._resource: Any = _manager(backend).open_resource(
                name,
                open_timeout=round(1000 * timeout_s),
                write_termination=terminations.write,
                read_termination=terminations.read,
                timeout=round(1000 * timeout_s),
            )
            if isinstance(self._resource, pyvisa.resources.SerialInstrument):
                self._resource.baud_rate = terminations.baud_rate
        except Exception as error:
            # Backends raise errors of all kinds here, down to a bare Exception of pyvisa-py's.
            raise InstrumentError(
                f"{name} cannot be opened ({_one_line(error)}): {_ADVICE}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, message: str) -> None:
        """Send a message."""
        try:
            self._resource.write(message)
        except (pyvisa.Error, OSError) as error:
            raise self._failure(message, error) from error

    def query(self, message: str, *, timeout_s: float | None = None) -> str:
        """Send a message and wait for the answer, without its termination."""
        if timeout_s is not None:
            self._resource.timeout = round(1000 * timeout_s)
        try:
            return str(self._resource.query(message)).strip()
        except (pyvisa.Error, OSError, UnicodeDecodeError) as error:
            raise self._failure(message, error) from error
        finally:
            if timeout_s is not None:
                self._resource.timeout = round(1000 * self._timeout_s)

    def query_block(self, message: str) -> bytes:
        """Send a message and wait for a definite-length block (IEEE 488.2, section 8.7.9).

        The length stands in front of the data, which may hold any byte: what ends other answers
        says nothing here.
        """
        try:
            self._resource.write(message)
            head = self._resource.read_bytes(2)
            if head[:1] != b"#" or not head[1:].isdigit() or head[1:] == b"0":
                raise InstrumentError(
                    f"{self.name} answered {message} by {head!r}, which begins no block"
                )
            length = int(self._resource.read_bytes(int(head[1:])))
            content = bytes(self._resource.read_bytes(length))
            self._resource.read_bytes(1)
        except (pyvisa.Error, OSError, ValueError) as error:
            raise self._failure(message, error) from error
        return content

    def _failure(self, message: str, error: Exception) -> InstrumentError:
        if isinstance(error, pyvisa.VisaIOError) and error.error_code == StatusCode.error_timeout:
            return InstrumentTimeoutError(
                f"{self.name} did not answer {message!r} in time: is it the instrument that the "
                "station file names, and is it not busy? A longer `timeout_s` can be set there"
            )
        # pyvisa-py tells only now that a TCP port refused the connection.
        advice = f": {_ADVICE}" if isinstance(error, ConnectionError) else ""
        return InstrumentError(f"{self.name}, at {message!r}: {_one_line(error)}{advice}")

    def close(self) -> None:
        """Free the port."""
        self._resource.close()


@functools.cache
def _manager(backend: str) -> pyvisa.ResourceManager:
    """Open a backend, once: PyVISA shares it, and closing it closes all that it opened."""
    return pyvisa.ResourceManager(backend)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
