"""Where the time of a stage goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

__all__ = ["Meter", "StageStatistics"]


class StageStatistics(msgspec.Struct, frozen=True):
    """One stage of a run, or one of several processes of it.

    Attributes
    ----------
    stage : str
        Name of the stage.
    taken, given : int
        What it took and gave: records, clicks, sifted bits, corrected bits, bits of key.
    busy_s : float
        Seconds at work.
    processor_s : float
        Seconds of processor time in that, and in taking items from other processes and handing
        items to them.
    preparing_s : float
        Seconds of processor time of that for what is done once, however long the pass is.
    starved_s, blocked_s : float
        Seconds of waiting for the stage before it, and for the one after it.
    memory_bytes : int
        Largest memory of its process so far.
    """

    stage: str
    taken: int = 0
    given: int = 0
    busy_s: float = 0.0
    processor_s: float = 0.0
    preparing_s: float = 0.0
    starved_s: float = 0.0
    blocked_s: float = 0.0
    memory_bytes: int = 0


Item = TypeVar("Item")


def _largest_memory() -> int:
    """Largest resident memory of this process, which ``getrusage`` would mix with its parent's."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return 0


class Meter:
    """Takes the times of a stage.

    Parameters
    ----------
    stage : str
        Name of the stage.

    Attributes
    ----------
    taken, given : int
        Counted by the stage; see `StageStatistics`.
    blocked_s : float
        To be set by whoever writes what the stage gives.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.taken = self.given = 0
        self.blocked_s = 0.0
        self._inside = self._processor = self._preparing = 0.0
        self._above = self._processor_above = 0.0

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Take the time of what is done once, however long the pass is."""
        processor = time.process_time()
        yield
        self._preparing += time.process_time() - processor

    @contextmanager
    def handing_over(self) -> Iterator[None]:
        """Take the processor time of giving an item to another process."""
        processor = time.process_time()
        yield
        self._processor += time.process_time() - processor

    def upstream(self, items: Iterator[Item], *, from_process: bool = False) -> Iterator[Item]:
        """Give what a stage takes.

        The time this needs is not the stage's, but for the processor time where the items come from
        another process and it is that of taking them.
        """
        while True:
            start, processor = time.monotonic(), time.process_time()
            item = next(items, None)
            self._above += time.monotonic() - start
            if not from_process:
                self._processor_above += time.process_time() - processor
            if item is None:
                return
            yield item

    def stage_of(self, items: Iterator[Item]) -> Iterator[Item]:
        """Give what the stage gives, and take the time it needs."""
        while True:
            start, processor = time.monotonic(), time.process_time()
            item = next(items, None)
            self._inside += time.monotonic() - start
            self._processor += time.process_time() - processor
            if item is None:
                return
            yield item

    @property
    def statistics(self) -> StageStatistics:
        """All of it so far."""
        return StageStatistics(
            stage=self.stage,
            taken=self.taken,
            given=self.given,
            busy_s=self._inside - self._above,
            processor_s=self._processor - self._processor_above,
            preparing_s=self._preparing,
            starved_s=self._above,
            blocked_s=self.blocked_s,
            memory_bytes=_largest_memory(),
        )
