"""The host's end of a UART line, many levels at a time: 8 data bits, no parity, 1 stop bit."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["UartReader", "UartWriter"]

_FRAME_BITS = 10


class UartReader:
    """Finds the bytes in the levels of a UART line.

    Parameters
    ----------
    divisor : int
        Levels in a bit.

    Attributes
    ----------
    broken : int
        Bytes without a stop bit so far; they are dropped.
    """

    def __init__(self, divisor: int) -> None:
        self.broken = 0
        self._held_low = False
        # Middles of the data bits and of the stop bit, from the first level of the start bit on.
        self._middles = divisor * np.arange(1, _FRAME_BITS) + divisor // 2
        self._kept = np.empty(0, np.uint8)

    def feed(self, levels: NDArray[np.uint8]) -> bytes:
        """Take the next levels and return the bytes that are complete.

        Parameters
        ----------
        levels : ndarray of uint8
            Zeros and ones in the order of time.
        """
        if self._kept.size == 0 and levels.all():
            return b""
        line = np.concatenate([self._kept, levels])
        result = bytearray()
        place = 0
        while True:
            place = self._next(line, place)
            if place + self._middles[-1] >= line.size:
                break
            bits = line[place + self._middles]
            if bits[-1]:
                result.append(int(np.packbits(bits[:8], bitorder="little")[0]))
            else:
                self.broken += 1
                self._held_low = True
            place += int(self._middles[-1])
        self._kept = line[place:]
        return bytes(result)

    def _next(self, line: NDArray[np.uint8], place: int) -> int:
        """Place of the next start bit; after a missing stop bit, the line must be high before."""
        if self._held_low:
            rest = line[place:]
            if not rest.any():
                return line.size
            place += int(rest.argmax())
            self._held_low = False
        starts = line[place:] == 0
        return place + int(starts.argmax()) if starts.any() else line.size


class UartWriter:
    """Makes the levels of a UART line from bytes.

    Parameters
    ----------
    divisor : int
        Levels in a bit.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        self._waiting = np.empty(0, np.uint8)

    @property
    def waiting(self) -> int:
        """Levels that wait to be sent."""
        return self._waiting.size

    def send(self, data: bytes) -> None:
        """Queue bytes."""
        frames = np.ones((len(data), _FRAME_BITS), np.uint8)
        frames[:, 0] = 0
        payload = np.frombuffer(data, np.uint8)[:, None]
        frames[:, 1:-1] = np.unpackbits(payload, axis=1, bitorder="little")
        self._waiting = np.concatenate([self._waiting, np.repeat(frames.ravel(), self._divisor)])

    def take(self, count: int) -> NDArray[np.uint8]:
        """Return the next `count` levels; ones when nothing waits."""
        levels = np.ones(count, np.uint8)
        ready = self._waiting[:count]
        levels[: ready.size] = ready
        self._waiting = self._waiting[count:]
        return levels
