"""Child processes of a pass: started together, watched together, never left behind."""

import contextlib
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from keybeam.errors import KeybeamError

__all__ = ["ChildError", "Children", "OutputLine"]

_GRACE_S = 5.0


class ChildError(KeybeamError):
    """A child process ended with an error; the message is its own last line."""


class OutputLine(NamedTuple):
    """A line that a child wrote to its standard output."""

    child: str
    text: str


class _Child:
    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self.name = name
        self.last_error_line = ""
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends the children
        )
        self.error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self.error_reader.start()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with contextlib.closing(self.process.stderr) as lines:
            for line in lines:
                self.last_error_line = line.strip() or self.last_error_line


class Children:
    """Python child processes whose output is read as one sequence of lines.

    Use as a context manager: on leaving, whoever still runs is ended.
    """

    def __init__(self) -> None:
        self._children: list[_Child] = []
        self._events: queue.Queue[tuple[_Child, str | None]] = queue.Queue()

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, *arguments: str) -> None:
        """Start ``python ARGUMENTS`` under a name that errors are told by."""
        child = _Child(name, arguments)
        self._children.append(child)
        threading.Thread(target=self._read_output, args=(child,), daemon=True).start()

    def _read_output(self, child: _Child) -> None:
        assert child.process.stdout is not None
        with contextlib.closing(child.process.stdout) as lines:
            for line in lines:
                self._events.put((child, line.rstrip("\n")))
        self._events.put((child, None))

    def lines(self, timeout_s: float) -> Iterator[OutputLine]:
        """Lines of all children in the order they came, until all have ended.

        More children may be started meanwhile.

        Parameters
        ----------
        timeout_s : float
            How long all of them may be silent.

        Raises
        ------
        ChildError
            If a child ended with another status than 0, or all are silent for too long.
        """
        ended = 0
        while ended < len(self._children):
            try:
                child, text = self._events.get(timeout=timeout_s)
            except queue.Empty:
                names = ", ".join(c.name for c in self._children if c.process.poll() is None)
                raise ChildError(f"no sign of life from {names} for {timeout_s:g} s") from None
            if text is not None:
                yield OutputLine(child.name, text)
                continue
            ended += 1
            self._check_end(child)

    def _check_end(self, child: _Child) -> None:
        status = child.process.wait(timeout=_GRACE_S)
        if status == 0:
            return
        # Its end may be known before its last words are; who else holds the pipe is not waited for.
        child.error_reader.join(timeout=_GRACE_S)
        reason = child.last_error_line.removeprefix("keybeam: ")
        if status < 0:
            reason = f"ended by signal {signal.Signals(-status).name}"
        raise ChildError(f"{child.name}: {reason or f'ended with status {status}'}")

    def stop(self) -> None:
        """End every child that still runs, with force where it does not listen."""
        for child in self._children:
            if child.process.poll() is None:
                child.process.terminate()
        for child in self._children:
            try:
                child.process.wait(timeout=_GRACE_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
