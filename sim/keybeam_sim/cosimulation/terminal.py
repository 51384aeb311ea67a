"""A pseudo-terminal that stands for the serial port of a board."""

import contextlib
import os
import tty
from types import TracebackType
from typing import Self

__all__ = ["Terminal"]

_BACKLOG_BYTES = 1 << 20


class Terminal:
    """A pseudo-terminal in raw mode; the other end is opened by its path.

    Neither reading nor writing ever waits. As on a serial port without flow
    control, bytes that nobody fetches are lost once the buffers are full.

    Attributes
    ----------
    path : str
        Device that stands for the serial port.
    dropped : int
        Bytes lost because nobody fetched them.
    """

    def __init__(self) -> None:
        # This program's own hold of the other end keeps the terminal alive while no host has it.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.dropped = 0
        self._backlog = bytearray()

    def read(self, most: int = 4096) -> bytes:
        """Return the bytes the host has sent, at most `most`; nothing if there are none."""
        try:
            return os.read(self._master, most)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Hand bytes to the host; an empty `data` retries what waits."""
        room = _BACKLOG_BYTES - len(self._backlog)
        self.dropped += max(0, len(data) - room)
        self._backlog += data[:room]
        if self._backlog:
            with contextlib.suppress(BlockingIOError):
                del self._backlog[: os.write(self._master, self._backlog)]

    def close(self) -> None:
        """Give the terminal back."""
        os.close(self._master)
        os.close(self._slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
