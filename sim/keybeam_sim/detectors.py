"""Single-photon detectors: efficiency, jitter, background, dead time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FWHM_SIGMA", "DeadTime", "DetectorModel"]

FWHM_SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))
"""Standard deviation of a Gaussian of unit full width at half maximum."""

_FARTHEST_PS = 8_000.0
"""Jitter is cut off here, so that what a stretch of pulses causes ends at a known time."""


@dataclass(frozen=True)
class DetectorModel:
    """Four equal silicon avalanche detectors.

    Attributes
    ----------
    efficiency : float
        Probability that a photon makes a click (60 %, arXiv:2408.10994).
    jitter_fwhm_ps : float
        Gaussian part of the timing jitter (350 ps, the same).
    tail_fraction, tail_ps : float
        Part of the clicks that come late, and the constant of their exponential delay: carriers
        that diffuse from the neutral region (Cova et al., Appl. Opt. 35, 1956, 1996).
    background_hz : float
        Clicks a second of all four detectors together that no pulse causes: dark counts and stray
        light (derived from the paper's error rates).
    dead_time_ps : float
        Time after a click in which the detector is blind.
    """

    efficiency: float = 0.6
    jitter_fwhm_ps: float = 350.0
    tail_fraction: float = 0.05
    tail_ps: float = 200.0
    background_hz: float = 850.0
    dead_time_ps: float = 45_000.0

    def jitter(
        self, count: int, pulse_fwhm_ps: float, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Deviations of clicks from the centre of their pulse in picoseconds.

        Parameters
        ----------
        count : int
            How many.
        pulse_fwhm_ps : float
            Duration of the optical pulses.
        generator : numpy.random.Generator
            Source of randomness.
        """
        sigma = np.hypot(self.jitter_fwhm_ps, pulse_fwhm_ps) * FWHM_SIGMA
        late = generator.exponential(self.tail_ps, count)
        late *= generator.random(count) < self.tail_fraction
        deviation = sigma * generator.standard_normal(count) + late
        return np.clip(deviation, -_FARTHEST_PS, _FARTHEST_PS)


class DeadTime:
    """Removes clicks that fall into the dead time of their detector.

    Parameters
    ----------
    dead_time_ps : float
        Blind time after a click; clicks within it do not make it longer.
    """

    def __init__(self, dead_time_ps: float) -> None:
        self._dead = dead_time_ps
        self._last = np.full(4, -np.inf)

    def kept(self, times_ps: NDArray[np.float64], channels: NDArray[np.uint8]) -> NDArray[np.bool]:
        """Which of the next clicks are registered.

        Parameters
        ----------
        times_ps : ndarray of float64
            Times in order.
        channels : ndarray of uint8
            Detectors, 0 to 3.
        """
        keep = np.ones(times_ps.size, bool)
        for channel in range(4):
            place = np.flatnonzero(channels == channel)
            times = times_ps[place]
            if times.size == 0:
                continue
            # Almost always nothing is closer than the dead time.
            if (np.diff(times, prepend=self._last[channel]) < self._dead).any():
                keep[place] = self._sift(times, self._last[channel])
                times = times[keep[place]]
            if times.size:
                self._last[channel] = times[-1]
        return keep

    def _sift(self, times: NDArray[np.float64], last: float) -> list[bool]:
        keep = []
        for time in times.tolist():
            keep.append(time - last >= self._dead)
            if keep[-1]:
                last = time
        return keep
