"""Where the satellite is: a pass of a circular orbit over a ground station."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import root
from sgp4.api import WGS72, Satrec
from skyfield.api import EarthSatellite, load, wgs84

__all__ = ["SPEED_OF_LIGHT", "PassGeometry", "Station", "solve_pass"]

SPEED_OF_LIGHT = 299_792_458.0
"""In metres a second (exact)."""

_EARTH_RADIUS_M = 6_378_135.0
_EARTH_MU = 3.986_008e14
"""Constants of WGS-72, with which SGP4 works (Hoots and Roehrich, Spacetrack Report No. 3)."""

_SGP4_EPOCH = datetime(1949, 12, 31, tzinfo=UTC)
_FIT_DEGREE = 60


@dataclass(frozen=True)
class Station:
    """A place on the ground.

    Attributes
    ----------
    latitude_deg, longitude_deg : float
        On the WGS-84 ellipsoid, north and east positive.
    altitude_m : float
        Above the ellipsoid.
    """

    latitude_deg: float
    longitude_deg: float
    altitude_m: float = 0.0


@dataclass(frozen=True)
class PassGeometry:
    """Range and elevation during a pass.

    Ranges come from SGP4 and the Earth's rotation (Skyfield) and are interpolated by a Chebyshev
    polynomial: delays then have no steps from the resolution of dates, and derivatives are exact.
    Elevations, which turn sharply near the zenith, are a cubic spline through every second.

    Attributes
    ----------
    satellite : EarthSatellite
        The orbit.
    station : Station
        The ground station.
    start : datetime
        Time zero of the pass, UTC.
    duration_s : float
        Length of the pass in seconds.
    """

    satellite: EarthSatellite
    station: Station
    start: datetime
    duration_s: float

    def _track(self, time_s: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """Range in metres and elevation in degrees, straight from the orbit model."""
        start = self.start
        seconds = start.second + start.microsecond * 1e-6 + np.asarray(time_s)
        times = load.timescale(builtin=True).utc(
            start.year, start.month, start.day, start.hour, start.minute, seconds
        )
        place = wgs84.latlon(
            self.station.latitude_deg, self.station.longitude_deg, self.station.altitude_m
        )
        elevation, _, distance = (self.satellite - place).at(times).altaz()
        return distance.m, elevation.degrees

    @cached_property
    def _fits(self) -> tuple[Chebyshev, CubicSpline]:
        # One second beyond both ends, for the light that is under way there.
        ends = (-1.0, self.duration_s + 1.0)
        time_s = np.append(np.arange(*ends), ends[1])
        ranges = Chebyshev.interpolate(lambda at: self._track(at)[0], _FIT_DEGREE, ends)
        return ranges, CubicSpline(time_s, self._track(time_s)[1])

    def range_m(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of satellite and station in metres, `time_s` seconds after the start."""
        return self._fits[0](time_s)

    def range_rate_m_s(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rate of change of the distance in metres a second; positive when it grows."""
        return self._fits[0].deriv()(time_s)

    def elevation_deg(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Angle above the horizon in degrees, without refraction."""
        return self._fits[1](time_s)

    def delay_s(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Light time of what the satellite sends at `time_s`, in seconds.

        The range at the time of sending is taken. The ground moves by up to 1.6 m until the light
        arrives, which changes the delay by at most 5 ns, slowly, as a clock offset would.
        """
        return self.range_m(time_s) / SPEED_OF_LIGHT

    def delay_series(self, time_s: float) -> tuple[float, float, float, float]:
        """Coefficients of the delay in powers of the time since `time_s`, up to the cube.

        Within 0.1 s the rest is below 1e-16 s: the fourth derivative of the range of a 500 km
        orbit stays under 0.01 m/s⁴.
        """
        factorials = (1, 1, 2, 6)
        zeroth, first, second, third = (
            float(fit(time_s)) / (SPEED_OF_LIGHT * factorial)
            for fit, factorial in zip(self._series, factorials, strict=True)
        )
        return zeroth, first, second, third

    @cached_property
    def _series(self) -> tuple[Chebyshev, ...]:
        fit = self._fits[0]
        return fit, fit.deriv(1), fit.deriv(2), fit.deriv(3)


def _satellite(
    epoch: datetime, altitude_m: float, inclination_deg: float, node: float, anomaly: float
) -> EarthSatellite:
    """Make a satellite on a circular orbit; ascending node and anomaly in radians at `epoch`."""
    motion = np.sqrt(_EARTH_MU / (_EARTH_RADIUS_M + altitude_m) ** 3) * 60
    days = (epoch - _SGP4_EPOCH).total_seconds() / 86_400
    record = Satrec()
    record.sgp4init(
        WGS72,
        "i",
        1,
        days,
        0.0,  # no drag
        0.0,
        0.0,
        0.0,  # eccentricity
        0.0,
        np.radians(inclination_deg),
        anomaly % (2 * np.pi),
        motion,
        node % (2 * np.pi),
    )
    return EarthSatellite.from_satrec(record, load.timescale(builtin=True))


def solve_pass(
    station: Station,
    culmination: datetime,
    maximum_elevation_deg: float,
    duration_s: float,
    *,
    altitude_m: float = 500e3,
    inclination_deg: float = 97.4,
) -> PassGeometry:
    """Find the circular orbit whose pass culminates at a given time and elevation.

    Of the passes that do, the southbound one on the western side of the station is taken; 97.4°
    makes a 500 km orbit Sun-synchronous (Vallado, Fundamentals of Astrodynamics, section 11.4.1).

    Parameters
    ----------
    station : Station
        The ground station.
    culmination : datetime
        Time of the greatest elevation, UTC; the pass lies symmetrically about it.
    maximum_elevation_deg : float
        The greatest elevation, 5 to 89 degrees.
    duration_s : float
        Length of the pass in seconds.
    altitude_m, inclination_deg : float
        Of the orbit.

    Raises
    ------
    ValueError
        If there is no such orbit.
    """
    start = datetime.fromtimestamp(culmination.timestamp() - duration_s / 2, UTC)
    middle = np.array([-5.0, 0.0, 5.0]) + duration_s / 2

    def geometry(unknowns: NDArray[np.float64]) -> PassGeometry:
        node, anomaly = unknowns
        satellite = _satellite(culmination, altitude_m, inclination_deg, node, anomaly)
        return PassGeometry(satellite, station, start, duration_s)

    def miss(unknowns: NDArray[np.float64]) -> list[float]:
        _, elevation = geometry(unknowns)._track(middle)
        return [(elevation[2] - elevation[0]) / 10, elevation[1] - maximum_elevation_deg]

    solution = root(
        miss,
        _first_guess(
            station, culmination, maximum_elevation_deg, altitude_m, np.radians(inclination_deg)
        ),
        method="hybr",
    )
    if not solution.success or np.abs(solution.fun).max() > 1e-6:
        raise ValueError(
            f"no orbit {altitude_m / 1e3:.0f} km high at {inclination_deg}° culminates at "
            f"{maximum_elevation_deg}° over latitude {station.latitude_deg}°"
        )
    return geometry(solution.x)


def _first_guess(
    station: Station,
    time: datetime,
    elevation_deg: float,
    altitude_m: float,
    inclination: float,
) -> tuple[float, float]:
    """Ascending node and argument of latitude of a southbound orbit west of the station.

    On a spherical Earth the sub-satellite point of a pass that culminates at elevation E is
    ``arccos(r cos E / (r + h)) - E`` away from the station.
    """
    elevation = np.radians(elevation_deg)
    ratio = _EARTH_RADIUS_M / (_EARTH_RADIUS_M + altitude_m)
    away = np.arccos(ratio * np.cos(elevation)) - elevation
    latitude = np.radians(station.latitude_deg)
    west = away / np.cos(latitude)
    # Southbound: the argument of latitude lies between 90° and 270°.
    argument = np.pi - np.arcsin(np.clip(np.sin(latitude) / np.sin(inclination), -1, 1))
    along = np.arctan2(np.cos(inclination) * np.sin(argument), np.cos(argument))
    sidereal = load.timescale(builtin=True).from_datetime(time).gast / 12 * np.pi
    node = sidereal + np.radians(station.longitude_deg) - west - along
    return float(node), float(argument)
