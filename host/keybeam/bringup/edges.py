"""Where edges stand that come at multiples of a known period, measured by any tagger.

With delay lines a time is right but for a noise much smaller than the period, and the mean gives
the phase. Sampled inputs tell only the bin of 1.6 ns in which an edge came; but when the two clocks
differ, edges wander through the bins, and few phases agree with all of them: the middle of these is
known far better than to a bin.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, FRAME_DURATION_PS, SLOT_PS
from keybeam.protocol.records import FINE_PS

__all__ = [
    "SAMPLED_RMS_PS",
    "SIGNATURES",
    "LaneFit",
    "clock_ratio",
    "fit_lane",
    "line_residuals",
    "sampled_limit_ps",
    "signature_of",
]

PERIOD_SLOTS = 16
PERIOD_PS = PERIOD_SLOTS * SLOT_PS
"""Period of the lanes' test pattern."""

SIGNATURES = (
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (0, 4, 8),
    (0, 4, 9),
    (0, 5, 10),
    (0,),
)
"""Slots of the period in which the test pattern of each lane rises; each rise is two slots wide.
No two are equal, wherever one begins to count, so that the pattern tells the lane."""

SAMPLED_RMS_PS = SLOT_PS / np.sqrt(12)
"""Standard deviation of a time that is told by its bin of 1.6 ns."""

_UNIFORM_SPREAD = 0.447
"""Standard deviation of that of n uniformly distributed numbers, over itself and times √n: by their
fourth moment, √(1.8 - 1) / 2."""
_SIGMAS = 3.0
_RATIO_STEPS = 81
_SHIFT_STEP_PS = 100
_CLOSE_PS = 0.45 * SLOT_PS
"""Standard deviation of times about a pattern beyond which they do not belong to it: sampled times
have 0.29 slots."""
_OUTLIER_PS = 0.75 * SLOT_PS


def sampled_limit_ps(count: int) -> float:
    """Give the standard deviation beyond which sampled times have more noise than their bins make.

    Parameters
    ----------
    count : int
        Times from which it is found.

    Returns
    -------
    float
        A tenth above that of the bins, and three standard deviations of such a figure.
    """
    return float(1.1 * SAMPLED_RMS_PS * (1 + _SIGMAS * _UNIFORM_SPREAD / np.sqrt(max(count, 1))))


def clock_ratio(times: NDArray[np.int64], counters: NDArray[np.uint64]) -> tuple[float, float]:
    """Receiver's time over the transmitter's, from sync words.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        Times of words in fine steps, n at least 2.
    counters : ndarray of uint64, shape (n,)
        Their frame counters.

    Returns
    -------
    ratio, uncertainty : float
        Slope of a straight line, and by how much it is off if times are off by a sampled bin.
    """
    frames = (counters - counters[0]).astype(float)
    since = (times - times[0]) * FINE_PS
    slope = np.polyfit(frames, since, 1)[0]
    return float(slope / FRAME_DURATION_PS), float(SLOT_PS / max(frames[-1], 1) / FRAME_DURATION_PS)


def _folded(times_ps: NDArray[np.float64], period_ps: float) -> float:
    """Mean of times modulo a period."""
    angle = np.angle(np.exp(2j * np.pi * times_ps / period_ps).sum())
    return float(angle / (2 * np.pi) * period_ps % period_ps)


def _line_ratio(times_ps: NDArray[np.float64], ratio: float, uncertainty: float) -> float:
    """Refine the ratio of the clocks by edges of the downlink, which lie at whole bits of 6.4 ns.

    Parameters
    ----------
    times_ps : ndarray of float64, shape (n,)
        Times of edges in picoseconds.
    ratio, uncertainty : float
        From `clock_ratio`.

    Returns
    -------
    float
        The ratio for which the edges gather most closely about multiples of a bit.
    """
    # Beyond half a bit over the whole stretch, another multiple would fit as well.
    most = min(2 * uncertainty, FABRIC_PERIOD_PS / 2 / np.ptp(times_ps))
    ratios = ratio + np.linspace(-most, most, _RATIO_STEPS)
    turns = np.exp(2j * np.pi * times_ps[None, :] / (FABRIC_PERIOD_PS * ratios[:, None]))
    return float(ratios[np.abs(turns.sum(axis=1)).argmax()])


def signature_of(phases_ps: NDArray[np.float64]) -> tuple[int, float] | None:
    """Tell the lane by its test pattern.

    Parameters
    ----------
    phases_ps : ndarray of float64, shape (n,)
        Times of rising edges in the transmitter's time, modulo `PERIOD_PS` or not.

    Returns
    -------
    tuple of int and float, or None
        Number of the pattern in `SIGNATURES` and where in the period it begins, in picoseconds;
        None where the edges show none of them.
    """
    if phases_ps.size == 0:
        return None
    found: list[tuple[float, int, float]] = []
    shifts = np.arange(0, PERIOD_PS, _SHIFT_STEP_PS)
    for lane, slots in enumerate(SIGNATURES):
        rises = np.array(slots) * SLOT_PS
        away = phases_ps[None, :, None] - shifts[:, None, None] - rises
        away = (away + PERIOD_PS / 2) % PERIOD_PS - PERIOD_PS / 2
        nearest = np.abs(away).argmin(axis=2)
        left = np.take_along_axis(away, nearest[:, :, None], axis=2)[:, :, 0]
        # A few edges that other things cause must not hide a pattern.
        spread = np.sqrt(np.mean(np.minimum(np.abs(left), SLOT_PS) ** 2, axis=1))
        best = int(spread.argmin())
        shares = np.bincount(nearest[best], minlength=rises.size) / phases_ps.size
        if spread[best] < _CLOSE_PS and shares.min() > 0.5 / rises.size:
            found.append((float(spread[best]), lane, float(shifts[best])))
    if not found:
        return None
    _, lane, shift = min(found)
    return lane, shift


class LaneFit(NamedTuple):
    """What edges of a lane say.

    Attributes
    ----------
    lane : int or None
        Lane whose pattern they show; None where they show none, and then the rest is NaN.
    ratio : float
        Receiver's time over the transmitter's.
    delay_ps : float
        Beginning of the pattern after the beginning of a frame, -12.8 to 12.8 ns.
    lag : float
        Part of a bit by which sync words are behind the downlink's edges; the same in all fits.
    rms_ps : float
        Standard deviation of a single time about the pattern.
    """

    lane: int | None
    ratio: float
    delay_ps: float
    lag: float
    rms_ps: float


def _middle(left: NDArray[np.float64], sampled: bool) -> float:
    """Phase that deviations say: the middle of what all bins share, or the mean."""
    return float((left.max() + left.min()) / 2 if sampled else left.mean())


def fit_lane(
    lane_steps: NDArray[np.int64],
    line_steps: NDArray[np.int64],
    sync_steps: NDArray[np.int64],
    sync_counters: NDArray[np.uint64],
    *,
    sampled: bool,
    lag: float | None = None,
) -> LaneFit:
    """Find the pattern of a lane and its delay against the downlink's frames.

    Parameters
    ----------
    lane_steps, line_steps : ndarray of int64
        Times of rising edges of the lane and of the downlink in fine steps.
    sync_steps : ndarray of int64, shape (n,)
        Times of sync words, at least 2.
    sync_counters : ndarray of uint64, shape (n,)
        Their frame counters.
    sampled : bool
        Whether the times are those of bins of 1.6 ns.
    lag : float, optional
        That of a fit before, by which bits are counted in the same way.
    """
    origin = sync_steps[0]
    lane, line, sync = ((s - origin) * FINE_PS for s in (lane_steps, line_steps, sync_steps))
    ratio = _line_ratio(line, *clock_ratio(sync_steps, sync_counters))
    line, bits = _on_bits(line, ratio)
    seen = signature_of(lane / ratio % PERIOD_PS)
    if seen is None:
        return LaneFit(None, ratio, np.nan, np.nan, np.nan)
    number, shift = seen
    rises = np.array(SIGNATURES[number]) * SLOT_PS + shift
    away = (lane / ratio)[:, None] - rises
    places = PERIOD_PS * np.rint(away / PERIOD_PS) + rises - shift
    nearest = np.abs(away - PERIOD_PS * np.rint(away / PERIOD_PS)).argmin(axis=1)
    grid = np.take_along_axis(places, nearest[:, None], axis=1)[:, 0]
    keep = np.abs(lane / ratio - grid - np.median(lane / ratio - grid)) < _OUTLIER_PS
    lane, grid = lane[keep], grid[keep]
    ratio = _refined(ratio, [(lane, grid), (line, bits)], sampled)
    of_lane, of_line = lane / ratio - grid, line / ratio - bits
    begin = _middle(of_line, sampled)
    late = (_folded(sync / ratio, PERIOD_PS) - begin) / FABRIC_PERIOD_PS
    lag = late - np.rint(late) if lag is None else lag
    begin += FABRIC_PERIOD_PS * np.rint(late - lag)
    delay = (_middle(of_lane, sampled) - begin + PERIOD_PS / 2) % PERIOD_PS - PERIOD_PS / 2
    return LaneFit(number, ratio, float(delay), float(lag), float(of_lane.std()))


def line_residuals(
    line_steps: NDArray[np.int64], ratio: float, uncertainty: float, *, sampled: bool
) -> tuple[NDArray[np.float64], float]:
    """Deviations of the downlink's edges from whole bits.

    Parameters
    ----------
    line_steps : ndarray of int64, shape (n,)
        Times of edges in fine steps.
    ratio, uncertainty : float
        From `clock_ratio`.
    sampled : bool
        Whether the times are those of bins of 1.6 ns.

    Returns
    -------
    residuals : ndarray of float64, shape (n,)
        In picoseconds, with outliers left out.
    ratio : float
        Receiver's time over the transmitter's, by these edges.
    """
    line = (line_steps - line_steps[0]) * FINE_PS
    ratio = _line_ratio(line, ratio, uncertainty)
    line, bits = _on_bits(line, ratio)
    ratio = _refined(ratio, [(line, bits)], sampled)
    return line / ratio - bits, ratio


def _on_bits(
    line: NDArray[np.float64], ratio: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges of the downlink and the bits they stand at, without those that stand at none."""
    phase = _folded(line / ratio, FABRIC_PERIOD_PS)
    bits = FABRIC_PERIOD_PS * np.rint((line / ratio - phase) / FABRIC_PERIOD_PS)
    left = line / ratio - bits
    near = np.abs(left - np.median(left)) < _OUTLIER_PS
    return line[near], bits[near]


def _refined(
    ratio: float,
    series: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    sampled: bool,
) -> float:
    """Let all series agree best on the ratio of the clocks, whatever the phase of each."""
    if sampled:
        # All deviations lie in one bin at the right ratio, and the wrong one draws them out.
        longest = max(np.ptp(times) for times, _ in series)
        reach = 2 * SLOT_PS / longest
        found = optimize.minimize_scalar(
            lambda change: sum(np.ptp(t / (ratio + change) - g) for t, g in series),
            bounds=(-reach, reach),
            method="bounded",
            options={"xatol": reach * 1e-5},
        )
        return float(ratio + found.x)
    times = np.concatenate([t - t.mean() for t, _ in series])
    grids = np.concatenate([g - g.mean() for _, g in series])
    return float((times * grids).sum() / (grids * grids).sum())
