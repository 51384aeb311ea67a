"""The clock that a host measures a board's clock by."""

import time
from pathlib import Path
from typing import Protocol

__all__ = ["HostClock", "ReferenceClock", "SimulatedClock", "UnstoppableClock"]

_BYTES = 8
_PS_PER_S = 10**12


class ReferenceClock(Protocol):
    """Tells seconds since some moment."""

    def now_s(self) -> float:
        """Seconds; only differences mean something."""


class HostClock:
    """The computer's own clock, which the operating system disciplines to a few ppm."""

    def now_s(self) -> float:
        """Seconds; see `ReferenceClock`."""
        return time.monotonic()


class SimulatedClock:
    """The time in which simulated boards live, which has nothing to do with the computer's.

    The simulation writes it to a file of 8 bytes, the time in picoseconds, little-endian.

    Parameters
    ----------
    path : Path
        The file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            path.write_bytes(bytes(_BYTES))

    def show(self, time_ps: int) -> None:
        """Write the time in picoseconds."""
        # In place: a reader must never find the file empty.
        with self._path.open("r+b", buffering=0) as file:
            file.write(time_ps.to_bytes(_BYTES, "little"))

    def now_s(self) -> float:
        """Seconds; see `ReferenceClock`."""
        return int.from_bytes(self._path.read_bytes(), "little") / _PS_PER_S


class UnstoppableClock:
    """Another clock, which goes on with the computer's time when it stands still.

    So a time-out that is counted by it ends also when a simulation hangs.

    Parameters
    ----------
    clock : ReferenceClock
        The other clock.
    patience_s : float
        Seconds of the computer's time that it may stand still.
    """

    def __init__(self, clock: ReferenceClock, patience_s: float) -> None:
        self._clock, self._patience_s = clock, patience_s
        self._shown, self._moved = clock.now_s(), time.monotonic()

    def now_s(self) -> float:
        """Seconds; see `ReferenceClock`."""
        shown, now = self._clock.now_s(), time.monotonic()
        if shown != self._shown:
            self._shown, self._moved = shown, now
        return shown + max(0.0, now - self._moved - self._patience_s)
