"""Second-order correlation of detections, g²(τ), normalised, with Poisson errors."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.records import CHANNEL_BITS, FINE_PS
from keybeam.tags.capture import Capture, decode_capture
from keybeam.tags.errors import AnalysisError
from keybeam.timing import TAG_DTYPE, Gap, RecordDecoder, _tags

__all__ = ["Correlation", "correlate_capture", "count_pairs", "count_pairs_numpy", "live_stretches"]

_MOST_BINS = 10_000_001


@dataclass(frozen=True)
class Correlation:
    """Second-order correlation of two channels.

    Attributes
    ----------
    first, second : int
        Channels; positive lags mean that the second one clicked later.
    bin_ps : float
        Width of a bin in ps.
    lags_ps : ndarray of float64, shape (n,)
        Centre of each bin, in ps.
    pairs : ndarray of int64, shape (n,)
        Pairs of detections in each.
    expected : ndarray of float64, shape (n,)
        Pairs that independent detections of the same rates would make.
    live_s : float
        Time in which neither channel lost tags, in s.
    """

    first: int
    second: int
    bin_ps: float
    lags_ps: NDArray[np.float64]
    pairs: NDArray[np.int64]
    expected: NDArray[np.float64]
    live_s: float

    @property
    def g2(self) -> NDArray[np.float64]:
        """Pairs by expected pairs: 1 for independent detections."""
        return self.pairs / self.expected

    @property
    def errors(self) -> NDArray[np.float64]:
        """Standard error of `g2` from counting pairs; an empty bin has that of one pair."""
        return np.sqrt(np.maximum(self.pairs, 1)) / self.expected


def count_pairs(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    lowest: int,
    width: int,
    bins: int,
    *,
    same: bool = False,
) -> NDArray[np.int64]:
    """Count pairs by lag, in time proportional to detections and pairs.

    Parameters
    ----------
    first, second : ndarray of int64
        Rising times in steps.
    lowest : int
        Lag at which the first bin begins, in steps.
    width : int
        Width of a bin in steps.
    bins : int
        Number of bins.
    same : bool
        Whether both lists are one; an entry then makes no pair with itself.

    Returns
    -------
    ndarray of int64, shape (bins,)
        Pairs with ``lowest + k width <= second - first < lowest + (k + 1) width``.
    """
    counts = np.zeros(bins, np.int64)
    _tags.count_pairs(
        np.ascontiguousarray(first), np.ascontiguousarray(second), lowest, width, counts, same
    )
    return counts


def count_pairs_numpy(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    lowest: int,
    width: int,
    bins: int,
    *,
    same: bool = False,
) -> NDArray[np.int64]:
    """Do the same as `count_pairs` in NumPy; memory grows with the pairs.

    Parameters
    ----------
    first, second, lowest, width, bins, same
        As `count_pairs`.
    """
    begin = np.searchsorted(second, first + lowest)
    many = np.searchsorted(second, first + lowest + width * bins) - begin
    starts = np.repeat(np.arange(first.size), many)
    stops = np.arange(starts.size) - np.repeat(np.cumsum(many) - many, many) + begin[starts]
    if same:
        other = starts != stops
        starts, stops = starts[other], stops[other]
    lags = second[stops] - first[starts] - lowest
    return np.bincount(lags // width, minlength=bins)


def live_stretches(
    begin: int, end: int, gaps: Iterable[Gap], channels: tuple[int, ...], longest: int
) -> list[tuple[int, int]]:
    """Stretches of time in which none of some channels lost anything.

    Parameters
    ----------
    begin, end : int
        The whole time, in fine steps.
    gaps : iterable of Gap
        All losses.
    channels : tuple of int
        The channels that matter; a loss on the link matters always.
    longest : int
        Longer stretches are cut into parts of this length, in fine steps.

    Returns
    -------
    list of (int, int)
        Begin and end of each, in order.
    """
    dead = sorted(
        (gap.begin, gap.end) for gap in gaps if gap.channel is None or gap.channel in channels
    )
    stretches = []
    for stop, resume in [*dead, (end, end)]:
        while begin < min(stop, end):
            cut = min(begin + longest, stop, end)
            stretches.append((begin, cut))
            begin = cut
        begin = max(begin, resume)
    return stretches


def correlate_capture(
    path: Path,
    first: int,
    second: int,
    *,
    bin_ps: float = 100.0,
    range_ps: float = 50_000.0,
    stretch_s: float = 1.0,
) -> Correlation:
    """Correlate two channels of a capture, or one with itself.

    Pairs are counted within stretches of at most `stretch_s`, and none across a loss. Each stretch
    of length T with n₁ and n₂ detections adds ``n₁ n₂ bin (T - |τ|) / T²`` to the expected pairs
    (n₁ (n₁ - 1) where a channel is correlated with itself), so rates that change from stretch to
    stretch, as in a pass, do not look like bunching.

    Parameters
    ----------
    path : Path
        The capture.
    first, second : int
        Channels.
    bin_ps : float
        Width of the bins in ps, rounded to fine steps of 0.390625 ps. With the period of a pulsed
        source each bin holds one peak, and the bin at zero is g²(0).
    range_ps : float
        Largest lag in ps.
    stretch_s : float
        Longest stretch in s: shorter ones follow the rates faster, and take less memory.

    Raises
    ------
    AnalysisError
        If there are too many bins, the range does not fit a stretch, or a channel has no
        detections.
    CaptureError
        If the capture is not sound.
    """
    width, longest = max(1, round(bin_ps / FINE_PS)), round(stretch_s * 1e12 / FINE_PS)
    reach = round(range_ps / (width * FINE_PS))
    bins = 2 * reach + 1
    if bins > _MOST_BINS or 2 * (reach + 1) * width > longest:
        raise AnalysisError(
            f"lags to {range_ps:g} ps in bins of {bin_ps:g} ps: at most {_MOST_BINS} bins, and "
            f"half a stretch of {stretch_s:g} s; choose a smaller range or wider bins"
        )
    lags = np.arange(-reach, reach + 1) * width
    lowest = -reach * width - width // 2
    pairs, expected, live = np.zeros(bins, np.int64), np.zeros(bins), 0
    for start, stop, one, other in _stretches(path, (first, second), longest):
        live += stop - start
        duration = stop - start
        pairs += count_pairs(one, other, lowest, width, bins, same=first == second)
        products = float(one.size) * (other.size - int(first == second))
        overlap = np.maximum(1 - np.abs(lags) / duration, 0)
        expected += products * (width / duration) * overlap
    if not expected.all():
        raise AnalysisError(f"{path}: channels {first} and {second} have too few detections")
    return Correlation(
        first,
        second,
        width * FINE_PS,
        lags.astype(np.float64) * FINE_PS,
        pairs,
        expected,
        live * FINE_PS * 1e-12,
    )


def _stretches(
    path: Path, channels: tuple[int, int], longest: int
) -> Iterable[tuple[int, int, NDArray[np.int64], NDArray[np.int64]]]:
    """Begin and end of each live stretch, and the times of both channels in it."""
    with Capture(path) as capture:
        # A loss is told when it ended, so all of them are looked for first.
        gaps, extent = list[Gap](), list[int]()
        for chunk in decode_capture(capture):
            gaps += chunk.gaps
            if chunk.tags.size:
                ends = [int(chunk.tags["time"].min()), int(chunk.tags["time"].max()) + 1]
                extent = [min(extent + ends), max(extent + ends)]
        if not extent:
            return
        waiting = np.empty(0, TAG_DTYPE)
        plan = live_stretches(extent[0], extent[1], gaps, channels, longest)
        decoder = RecordDecoder(channels=1 << CHANNEL_BITS)
        for chunk in decode_capture(capture, decoder):
            tags = chunk.tags
            wanted = (tags["channel"] == channels[0]) | (tags["channel"] == channels[1])
            waiting = np.concatenate([waiting, tags[wanted]])
            while plan and chunk.lower_bound >= plan[0][1]:
                yield *plan[0], *_within(waiting, *plan[0], channels)
                waiting = waiting[waiting["time"] >= plan.pop(0)[1]]
        for start, stop in plan:
            yield start, stop, *_within(waiting, start, stop, channels)


def _within(
    tags: NDArray[np.void], start: int, stop: int, channels: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    inside = tags[(tags["time"] >= start) & (tags["time"] < stop)]
    one, other = (np.sort(inside["time"][inside["channel"] == channel]) for channel in channels)
    return one, other
