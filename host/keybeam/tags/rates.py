"""Count rates against time."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.records import CHANNEL_BITS, FINE_PS
from keybeam.tags.capture import Capture, decode_capture
from keybeam.tags.errors import AnalysisError
from keybeam.timing import DecodedChunk

__all__ = ["RateCounter", "capture_rates"]

_CHANNELS = 1 << CHANNEL_BITS
_MOST_INTERVALS = 1_000_000


class RateCounter:
    """Counts the detections of every channel in equal intervals of the receiver's clock.

    Parameters
    ----------
    interval_s : float
        Length of an interval in s.
    keep : int or None
        Newest intervals that are kept; all of them where None.

    Raises
    ------
    AnalysisError
        From `feed`, if there are more than a million intervals.
    """

    def __init__(self, interval_s: float, keep: int | None = None) -> None:
        self.interval_s = interval_s
        self._steps = max(1, round(interval_s * 1e12 / FINE_PS))
        self._keep = keep
        self._begin: int | None = None
        self._first = self._whole = 0
        self._counts = np.zeros((0, _CHANNELS), np.int64)

    def feed(self, chunk: DecodedChunk) -> None:
        """Take the next decoded records.

        Parameters
        ----------
        chunk : DecodedChunk
            The next part of a stream, all channels decoded.
        """
        if self._begin is None:
            if chunk.lower_bound == 0:
                return
            times = chunk.tags["time"]
            self._begin = int(times.min()) if times.size else chunk.lower_bound
        place = (chunk.tags["time"] - self._begin) // self._steps - self._first
        self._whole = max(self._whole, (chunk.lower_bound - self._begin) // self._steps)
        end = max(int(place.max(initial=-1)) + 1, self._whole - self._first)
        if end - self._counts.shape[0] > _MOST_INTERVALS:
            raise AnalysisError(
                f"intervals of {self.interval_s:g} s are too many: choose longer ones"
            )
        if end > self._counts.shape[0]:
            self._counts = np.pad(self._counts, ((0, end - self._counts.shape[0]), (0, 0)))
        known = place >= 0
        flat = place[known] * _CHANNELS + chunk.tags["channel"][known]
        self._counts += np.bincount(flat, minlength=self._counts.size).reshape(self._counts.shape)
        if self._keep is not None and self._whole - self._first > self._keep:
            drop = self._whole - self._first - self._keep
            self._counts, self._first = self._counts[drop:], self._first + drop

    @property
    def elapsed_s(self) -> float:
        """Time in s that has been counted, in whole intervals."""
        return self._whole * self.interval_s

    def rates(self) -> tuple[NDArray[np.float64], dict[int, NDArray[np.float64]]]:
        """Rates in the intervals that are over.

        Returns
        -------
        times_s : ndarray of float64, shape (n,)
            Middle of each interval, in s since the first detection.
        rates : dict of int to ndarray of float64, shape (n,)
            Detections a second, for each channel that has any.
        """
        counts = self._counts[: self._whole - self._first]
        times = self.interval_s * (np.arange(counts.shape[0], dtype=np.float64) + self._first + 0.5)
        seen = np.flatnonzero(counts.any(0)).tolist()
        return times, {channel: counts[:, channel] / self.interval_s for channel in seen}


def capture_rates(
    path: Path, interval_s: float
) -> tuple[NDArray[np.float64], dict[int, NDArray[np.float64]]]:
    """Count rates of a capture; see `RateCounter.rates`.

    Parameters
    ----------
    path : Path
        The capture.
    interval_s : float
        Length of an interval in s.

    Raises
    ------
    AnalysisError
        If the capture is shorter than an interval.
    CaptureError
        If it is not sound.
    """
    counter = RateCounter(interval_s)
    with Capture(path) as capture:
        for chunk in decode_capture(capture):
            counter.feed(chunk)
    times, rates = counter.rates()
    if not rates:
        raise AnalysisError(
            f"{path}: no interval of {interval_s:g} s is full: choose a shorter one"
        )
    return times, rates
