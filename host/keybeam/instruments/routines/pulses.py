"""Pulses in a record of an oscilloscope: width, time, jitter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.kinds import Trace

__all__ = ["PulseTrain", "analyse_pulses", "rising_edges"]

_FEWEST = 10

_MEDIAN_SPREAD = 1.2533
"""Standard deviation of a median over that of a mean, of normal values: the root of π/2."""


@dataclass(frozen=True)
class PulseTrain:
    """What a record says of its pulses.

    Attributes
    ----------
    rate_hz : float
        Pulses a second, by a straight line through their times.
    middle_s : float
        Mean time of a pulse's middle, halfway between its edges, in periods that begin at time 0.
    width_s, width_uncertainty_s : float
        Median FWHM, and its standard uncertainty by the scatter.
    jitter_s, jitter_uncertainty_s : float
        RMS deviation of rising edges from the line, without the part of the noise; its standard
        uncertainty is that of a standard deviation of so many values.
    noise_jitter_s : float
        Part of the oscilloscope's noise, which was taken off in squares.
    peak_v, peak_spread : float
        Mean peak, and its RMS spread as a part of it.
    shape_s, shape_v : ndarray of float64
        All samples by time in the period from 0 to one period, and their voltages.
    """

    rate_hz: float
    middle_s: float
    width_s: float
    width_uncertainty_s: float
    jitter_s: float
    jitter_uncertainty_s: float
    noise_jitter_s: float
    peak_v: float
    peak_spread: float
    shape_s: NDArray[np.float64]
    shape_v: NDArray[np.float64]


def _crossings(trace: Trace, level: float, rising: bool) -> NDArray[np.float64]:
    """Find the times at which the voltage crosses a level, by straight lines between samples."""
    y = trace.voltage_v if rising else -trace.voltage_v
    wanted = level if rising else -level
    at = np.flatnonzero((y[:-1] < wanted) & (y[1:] >= wanted))
    part = (wanted - y[at]) / (y[at + 1] - y[at])
    times: NDArray[np.float64] = trace.start_s + trace.step_s * (at + part)
    return times


def rising_edges(trace: Trace, level: float) -> NDArray[np.float64]:
    """Find the times of rising edges through a level, in seconds."""
    return _crossings(trace, level, rising=True)


def analyse_pulses(trace: Trace, rate_hz: float) -> PulseTrain:
    """Find pulses of a nominal rate in a record, and tell their width, time and jitter.

    A pulse's edges are where it crosses half of the mean peak. Jitter is the RMS deviation of
    rising edges from the straight line through their times (time interval error), less in
    squares what the oscilloscope's noise makes of it: noise over slope.

    Parameters
    ----------
    trace : Trace
        The record.
    rate_hz : float
        Nominal rate of the pulses, within 1 %.

    Raises
    ------
    MeasurementError
        If there are fewer than ten pulses, or they are not one in each period.
    """
    y = trace.voltage_v
    period = 1 / rate_hz
    base = float(np.median(y))
    noise = 1.4826 * float(np.median(np.abs(y - base)))
    level = base + (float(np.quantile(y, 0.998)) - base) / 2
    if level - base < 6 * noise:
        raise MeasurementError("no pulses stand out of the oscilloscope's noise")
    rises, falls = rising_edges(trace, level), _crossings(trace, level, rising=False)
    falls = falls[np.searchsorted(falls, rises[0]) :] if rises.size else falls
    count = min(rises.size, falls.size)
    rises, falls = rises[:count], falls[:count]
    if count < _FEWEST:
        raise MeasurementError(f"{count} pulses are too few: lengthen the record")
    numbers = np.round((rises - rises[0]) / period)
    if not np.array_equal(np.diff(numbers), np.ones(count - 1)):
        raise MeasurementError("there is not one pulse in each period")
    slope, offset = map(float, np.polyfit(numbers, rises, 1))
    deviations = rises - (slope * numbers + offset)
    widths = falls - rises
    first = ((rises - trace.start_s) / trace.step_s).astype(int)
    last = ((falls - trace.start_s) / trace.step_s).astype(int) + 2
    peaks = np.array([y[low:high].max() for low, high in zip(first, last, strict=True)])
    around = np.clip(np.round((rises - trace.start_s) / trace.step_s).astype(int), 1, y.size - 2)
    steepness = float(np.median(y[around + 1] - y[around - 1])) / (2 * trace.step_s)
    noise_jitter = noise / steepness
    total = float(deviations.std(ddof=2))
    jitter = float(np.sqrt(max(total**2 - noise_jitter**2, 0.0)))
    middles = (rises + falls) / 2 - numbers * slope
    folded = np.mod(trace.time_s, slope)
    order = np.argsort(folded)
    return PulseTrain(
        rate_hz=1 / float(slope),
        middle_s=float(np.mod(middles.mean(), slope)),
        width_s=float(np.median(widths)),
        width_uncertainty_s=float(_MEDIAN_SPREAD * widths.std(ddof=1) / np.sqrt(count)),
        jitter_s=jitter,
        jitter_uncertainty_s=total**2 / max(jitter, total / 10) / float(np.sqrt(2 * (count - 2))),
        noise_jitter_s=noise_jitter,
        peak_v=float(peaks.mean()),
        peak_spread=float(peaks.std(ddof=1) / peaks.mean()),
        shape_s=folded[order],
        shape_v=y[order],
    )
