"""A simulated pass: its parameters, and what to expect of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import PULSE_RATE_HZ
from keybeam_sim.clocks import ReceiverClock
from keybeam_sim.detectors import DetectorModel
from keybeam_sim.link import Fading, LinkBudget
from keybeam_sim.orbit import PassGeometry, Station, solve_pass
from keybeam_sim.source import PhotonSource

__all__ = ["PassProfile", "PassScenario"]


@dataclass(frozen=True)
class PassScenario:
    """Everything a simulated pass depends on; equal scenarios give equal records.

    The default is the pass of 25 September 2022 over Jinan (arXiv:2408.10994, "Experimental
    results"): 300 s, 34.1° maximum elevation. Its time of day is not printed, only "approximately
    22:30 local time".

    Attributes
    ----------
    seed : int
        Of all randomness, 0 to 2^64 - 1.
    duration_s : float
        Length of the pass; it lies symmetrically about the culmination.
    station : Station
        The ground station.
    culmination : datetime
        Time of the greatest elevation, UTC.
    maximum_elevation_deg : float
        The greatest elevation.
    link, fading, source, detectors, clock
        Models of the parts.
    sync_fwhm_ps : float
        Precision of the sync words' times (100 ps, the same source).
    """

    seed: int = 1
    duration_s: float = 300.0
    station: Station = field(default_factory=lambda: Station(36.677, 117.122, 50.0))
    culmination: datetime = datetime(2022, 9, 25, 14, 30, tzinfo=UTC)
    maximum_elevation_deg: float = 34.1
    link: LinkBudget = field(default_factory=LinkBudget)
    fading: Fading = field(default_factory=Fading)
    source: PhotonSource = field(default_factory=PhotonSource)
    detectors: DetectorModel = field(default_factory=DetectorModel)
    clock: ReceiverClock = field(default_factory=ReceiverClock)
    sync_fwhm_ps: float = 100.0

    @property
    def geometry(self) -> PassGeometry:
        """The pass; solved once for each set of its parameters."""
        return _geometry(
            self.station, self.culmination, self.maximum_elevation_deg, self.duration_s
        )

    def efficiency(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean probability that a photon sent at `time_s` makes a click, before fading."""
        geometry = self.geometry
        transmittance = self.link.transmittance(
            geometry.range_m(time_s), geometry.elevation_deg(time_s)
        )
        return transmittance * self.detectors.efficiency

    def profile(self, step_s: float = 1.0) -> "PassProfile":
        """Compute what to expect of the pass, every `step_s` seconds.

        Parameters
        ----------
        step_s : float
            Distance of the samples in seconds.
        """
        time_s = np.arange(0.0, self.duration_s + step_s / 2, step_s)
        geometry = self.geometry
        efficiency = self.efficiency(time_s)
        photons = PULSE_RATE_HZ * self.source.average * efficiency
        return PassProfile(
            time_s=time_s,
            elevation_deg=geometry.elevation_deg(time_s),
            range_m=geometry.range_m(time_s),
            range_rate_m_s=geometry.range_rate_m_s(time_s),
            loss_db=-10 * np.log10(efficiency),
            rate_hz=photons + self.detectors.background_hz,
        )


@dataclass(frozen=True)
class PassProfile:
    """Expected course of a pass; all arrays have the shape of `time_s`.

    Attributes
    ----------
    time_s : ndarray of float64
        Seconds since the start of the pass.
    elevation_deg : ndarray of float64
        Angle above the horizon.
    range_m, range_rate_m_s : ndarray of float64
        Distance, and its rate of change.
    loss_db : ndarray of float64
        Mean loss from the satellite's telescope to a click, the detectors' efficiency included.
    rate_hz : ndarray of float64
        Mean clicks a second of all detectors before the gate, background included.
    """

    time_s: NDArray[np.float64]
    elevation_deg: NDArray[np.float64]
    range_m: NDArray[np.float64]
    range_rate_m_s: NDArray[np.float64]
    loss_db: NDArray[np.float64]
    rate_hz: NDArray[np.float64]


@cache
def _geometry(
    station: Station, culmination: datetime, maximum_elevation_deg: float, duration_s: float
) -> PassGeometry:
    return solve_pass(station, culmination, maximum_elevation_deg, duration_s)
