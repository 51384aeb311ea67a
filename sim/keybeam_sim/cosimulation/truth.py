"""What a co-simulated link carried, as its model knows it and the boards do not."""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from keybeam.errors import KeybeamError
from keybeam.protocol.downlink import SYNC_BYTES, SYNC_WORD, FrameFlag, decode_frame
from keybeam.protocol.numbers import FRAME_BITS, FRAME_SLOTS, SLOTS_PER_CYCLE

__all__ = ["NO_SLOT", "TRUTH_DTYPE", "SentFrame", "Truth", "TruthRecorder"]

NO_SLOT = -1
"""Slot of a click that no pulse caused."""

TRUTH_DTYPE = np.dtype(
    [("slot", "<i8"), ("symbol", "u1"), ("channel", "u1"), ("time_fs", "<i8"), ("sample", "<i8")]
)
"""A click: slot of its pulse, counted from the transmitter's first cycle (`NO_SLOT` for
background); the pulse's symbol; detector channel; time in femtoseconds; the receiver's first
sample with the detector's pulse."""


class SentFrame(NamedTuple):
    """A frame the transmitter sent.

    Attributes
    ----------
    cycle : int
        The transmitter's cycle of line bit 0.
    counter : int
        Frame counter in the header.
    flags : FrameFlag
        Mode flags in the header.
    """

    cycle: int
    counter: int
    flags: FrameFlag


class Truth(NamedTuple):
    """What was sent and detected.

    Attributes
    ----------
    line : ndarray of uint8
        Line bits of the transmitter's cycles, before errors of the link.
    clicks : ndarray of TRUTH_DTYPE
        Clicks in the order of time.
    """

    line: NDArray[np.uint8]
    clicks: NDArray[np.void]

    def save(self, path: Path) -> None:
        """Write into a file that `load` reads."""
        with path.open("wb") as file:
            np.savez(file, line=np.packbits(self.line), size=self.line.size, clicks=self.clicks)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        KeybeamError
            If it is no such file.
        """
        try:
            with np.load(path) as arrays:
                line = np.unpackbits(arrays["line"], count=int(arrays["size"]))
                return cls(line, arrays["clicks"])
        except (ValueError, KeyError, EOFError) as error:
            raise KeybeamError(f"{path} does not hold what a link carried") from error

    def frames(self) -> list[SentFrame]:
        """Find the whole frames in the line bits."""
        word = np.unpackbits(np.frombuffer(SYNC_WORD.to_bytes(SYNC_BYTES, "big"), np.uint8))
        levels, pattern = self.line.tobytes(), word.tobytes()
        found = []
        cycle = levels.find(pattern)
        while 0 <= cycle <= self.line.size - FRAME_BITS:
            frame = decode_frame(self.line[cycle : cycle + FRAME_BITS])
            if frame is not None:
                found.append(SentFrame(cycle, frame.counter, frame.flags))
            cycle = levels.find(pattern, cycle + (1 if frame is None else FRAME_BITS))
        return found

    def pulse_indices(self) -> NDArray[np.uint64]:
        """Pulse index of each click's pulse, from the frame counters in the line bits.

        Returns
        -------
        ndarray of uint64
            All ones where no pulse caused the click or its frame is not whole.
        """
        indices = np.full(self.clicks.size, np.iinfo(np.uint64).max)
        slots = self.clicks["slot"]
        for cycle, counter, _ in self.frames():
            offset = slots - cycle * SLOTS_PER_CYCLE
            inside = (slots != NO_SLOT) & (offset >= 0) & (offset < FRAME_SLOTS)
            indices[inside] = np.uint64(counter * FRAME_SLOTS) + offset[inside].astype(np.uint64)
        return indices


class TruthRecorder:
    """Collects what the link carries."""

    def __init__(self) -> None:
        self._line: list[NDArray[np.uint8]] = []
        self._clicks: list[tuple[int, int, int, int, int]] = []

    def line(self, bits: NDArray[np.uint8]) -> None:
        """Append line bits (zeros and ones); the array is kept."""
        self._line.append(bits)

    def click(self, slot: int, symbol: int, channel: int, time_fs: int, sample: int) -> None:
        """Append a click; fields as in `TRUTH_DTYPE`."""
        self._clicks.append((slot, symbol, channel, time_fs, sample))

    def finish(self) -> Truth:
        """Return what was collected."""
        line = np.concatenate(self._line) if self._line else np.empty(0, np.uint8)
        return Truth(line, np.array(self._clicks, TRUTH_DTYPE))
