"""Fits of curves that routines measure."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit

from keybeam.instruments.errors import MeasurementError

__all__ = ["Line", "RaisedCosine", "fit_raised_cosine", "fit_threshold"]

_PERIODS_TRIED = 200


@dataclass(frozen=True)
class RaisedCosine:
    """A transfer curve mean + amplitude · cos(π (V - maximum) / half_wave).

    Attributes
    ----------
    mean, amplitude : float
        In the unit of the curve; the amplitude is positive.
    half_wave, maximum : float
        Voltage from most to least, and a voltage of most, in volts.
    half_wave_uncertainty : float
        Standard uncertainty of `half_wave` from the scatter about the curve.
    residual : float
        RMS of the scatter, as a part of the amplitude.
    """

    mean: float
    amplitude: float
    half_wave: float
    maximum: float
    half_wave_uncertainty: float
    residual: float

    def __call__(self, voltage: ArrayLike) -> NDArray[np.float64]:
        """Value of the curve at voltages."""
        return _cosine(
            np.asarray(voltage, float), self.mean, self.amplitude, self.half_wave, self.maximum
        )

    def nearest(self, phase: float, voltage: float) -> float:
        """Voltage nearest to another one with a phase, 0 at a maximum and 1 at a minimum."""
        period = 2 * self.half_wave
        wanted = self.maximum + phase * self.half_wave
        return wanted + period * round((voltage - wanted) / period)


def _cosine(
    voltage: NDArray[np.float64], mean: float, amplitude: float, half_wave: float, maximum: float
) -> NDArray[np.float64]:
    return mean + amplitude * np.cos(np.pi * (voltage - maximum) / half_wave)


def fit_raised_cosine(voltage: ArrayLike, value: ArrayLike) -> RaisedCosine:
    """Fit a raised cosine by least squares, from the best of many half-wave voltages on.

    Parameters
    ----------
    voltage, value : array_like of float
        At least six points, over half a period or more.

    Raises
    ------
    MeasurementError
        If the curve does not follow such a shape.
    """
    x, y = np.asarray(voltage, float), np.asarray(value, float)
    span = float(np.ptp(x))
    if x.size < 6 or span <= 0 or np.ptp(y) <= 0:
        raise MeasurementError("the curve is flat, or has too few points: is there light?")
    best: tuple[float, float, NDArray[np.float64]] | None = None
    for half_wave in np.geomspace(2 * span / x.size, 2 * span, _PERIODS_TRIED):
        angle = np.pi * x / half_wave
        basis = np.stack([np.ones_like(x), np.cos(angle), np.sin(angle)], axis=1)
        parts, *_ = np.linalg.lstsq(basis, y)
        error = float(np.sum((basis @ parts - y) ** 2))
        # A period far beyond the data fits anything with huge amplitudes.
        if np.hypot(parts[1], parts[2]) < 2 * np.ptp(y) and (best is None or error < best[0]):
            best = error, float(half_wave), parts
    if best is None:
        raise MeasurementError("the curve is no raised cosine: sweep over a wider range")
    _, half_wave, (mean, cosine, sine) = best
    start = (
        mean,
        math.hypot(cosine, sine),
        half_wave,
        math.atan2(sine, cosine) * half_wave / math.pi,
    )
    try:
        found, covariance = curve_fit(_cosine, x, y, p0=start)
    except RuntimeError as error:
        raise MeasurementError(f"the curve is no raised cosine ({error})") from error
    mean, amplitude, half_wave, maximum = map(float, found)
    if amplitude < 0:
        amplitude, maximum = -amplitude, maximum + half_wave
    residual = float(np.std(_cosine(x, mean, amplitude, half_wave, maximum) - y)) / amplitude
    if residual > 0.2 or not np.all(np.isfinite(covariance)):
        raise MeasurementError(
            f"the curve is no raised cosine: it scatters by {100 * residual:.0f} % of its height"
        )
    return RaisedCosine(
        mean, amplitude, abs(half_wave), maximum, math.sqrt(covariance[2, 2]), residual
    )


@dataclass(frozen=True)
class Line:
    """Straight part of an L-I curve: power = slope · (current - threshold).

    Attributes
    ----------
    threshold, slope : float
        In amperes, and watts an ampere.
    threshold_uncertainty : float
        Standard uncertainty of `threshold` from the scatter about the line.
    """

    threshold: float
    slope: float
    threshold_uncertainty: float


def fit_threshold(current: ArrayLike, power: ArrayLike) -> Line:
    """Find a laser's threshold, where the straight part of the curve meets zero power.

    The straight part is what lies above 30 % of the largest power; the method is the linear fit
    of Telcordia GR-3013-CORE.

    Raises
    ------
    MeasurementError
        If fewer than three points lie on it.
    """
    x, y = np.asarray(current, float), np.asarray(power, float)
    above = y > 0.3 * y.max()
    if np.count_nonzero(above) < 3 or not y.max() > 0:
        raise MeasurementError("too few currents are above the threshold: raise the limit")
    (slope, offset), covariance = np.polyfit(x[above], y[above], 1, cov="unscaled")
    freedom = max(int(np.count_nonzero(above)) - 2, 1)
    scatter = float(np.sum((np.polyval((slope, offset), x[above]) - y[above]) ** 2)) / freedom
    threshold = -offset / slope
    gradient = np.array([offset / slope**2, -1 / slope])
    variance = float(gradient @ covariance @ gradient) * scatter
    return Line(float(threshold), float(slope), math.sqrt(variance))
