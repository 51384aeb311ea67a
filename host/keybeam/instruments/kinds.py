"""What routines may ask of each kind of instrument, whatever its make.

Every quantity has its unit in its name. A setting outside of the limits raises
`InstrumentLimitError` before anything is sent; a message that the instrument
takes ill raises `InstrumentError`.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.instruments.instrument import Instrument, Kind

__all__ = [
    "Attenuator",
    "BiasSource",
    "FrequencyCounter",
    "LaserController",
    "Oscilloscope",
    "PowerMeter",
    "RotationMount",
    "Spectrum",
    "SpectrumAnalyser",
    "Trace",
    "WaveformGenerator",
]


class Trace(NamedTuple):
    """A record of one channel of an oscilloscope.

    Attributes
    ----------
    start_s, step_s : float
        Time of the first sample, and from sample to sample, in seconds.
    voltage_v : ndarray of float64
        Samples in volts.
    """

    start_s: float
    step_s: float
    voltage_v: NDArray[np.float64]

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Times of the samples in seconds."""
        return self.start_s + self.step_s * np.arange(self.voltage_v.size, dtype=np.float64)


class Spectrum(NamedTuple):
    """A trace of an optical spectrum analyser.

    Attributes
    ----------
    wavelength_nm : ndarray of float64
        Vacuum wavelengths in nanometres.
    power_dbm : ndarray of float64
        Power in the resolution bandwidth, in dBm.
    """

    wavelength_nm: NDArray[np.float64]
    power_dbm: NDArray[np.float64]


class Oscilloscope(Instrument):
    """Records voltages."""

    kind = Kind.OSCILLOSCOPE

    @abstractmethod
    def acquire(
        self,
        scales_v: Mapping[int, float],
        *,
        duration_s: float,
        sample_rate_hz: float,
        trigger: int,
    ) -> dict[int, Trace]:
        """Record some channels once.

        Parameters
        ----------
        scales_v : mapping of int to float
            Full scale of each channel, symmetric to 0, in volts.
        duration_s : float
            Length of the record in seconds.
        sample_rate_hz : float
            Samples a second.
        trigger : int
            Channel whose rising edge through 0 V begins the record.

        Returns
        -------
        dict of int to Trace
            By channel.
        """


class PowerMeter(Instrument):
    """Measures mean optical power."""

    kind = Kind.POWER_METER

    @abstractmethod
    def set_wavelength_nm(self, wavelength_nm: float) -> None:
        """Choose the calibration for a wavelength."""

    @abstractmethod
    def set_averages(self, readings: int) -> None:
        """Set how many readings are averaged to one."""

    @abstractmethod
    def zero(self) -> None:
        """Measure the offset without light and subtract it from now on."""

    @abstractmethod
    def power_w(self) -> float:
        """Measure power in watts."""


class Attenuator(Instrument):
    """Weakens light by a known factor; its shutter is closed in the safe state."""

    kind = Kind.ATTENUATOR

    @abstractmethod
    def set_wavelength_nm(self, wavelength_nm: float) -> None:
        """Choose the calibration for a wavelength."""

    @abstractmethod
    def set_attenuation_db(self, attenuation_db: float) -> None:
        """Set the attenuation, the insertion loss not counted."""

    @abstractmethod
    def attenuation_db(self) -> float:
        """Attenuation that is set, in dB."""

    @abstractmethod
    def open_shutter(self, is_open: bool) -> None:
        """Open or close the shutter."""


class LaserController(Instrument):
    """Drives a laser diode and its cooler; the safe state has the laser off, and cools on."""

    kind = Kind.LASER_CONTROLLER

    @abstractmethod
    def set_temperature_c(self, temperature_c: float) -> None:
        """Set the diode's temperature and switch the cooler on."""

    @abstractmethod
    def temperature_c(self) -> float:
        """Measure the diode's temperature in °C."""

    @abstractmethod
    def set_current_a(self, current_a: float) -> None:
        """Set the diode's current in amperes."""

    @abstractmethod
    def current_a(self) -> float:
        """Measure the diode's current in amperes."""

    @abstractmethod
    def switch_laser(self, is_on: bool) -> None:
        """Switch the diode's current on or off."""


class BiasSource(Instrument):
    """A quiet voltage that holds a modulator's working point; off in the safe state."""

    kind = Kind.BIAS_SOURCE

    @abstractmethod
    def set_voltage_v(self, voltage_v: float) -> None:
        """Set the voltage in volts."""

    @abstractmethod
    def switch_output(self, is_on: bool) -> None:
        """Switch the output on or off."""


class WaveformGenerator(Instrument):
    """Holds a modulator's drive at a level; off in the safe state."""

    kind = Kind.WAVEFORM_GENERATOR

    @abstractmethod
    def set_level_v(self, level_v: float) -> None:
        """Set a constant voltage, in volts at 50 Ω."""

    @abstractmethod
    def switch_output(self, is_on: bool) -> None:
        """Switch the output on or off."""


class RotationMount(Instrument):
    """Turns a wave plate or polariser; it stands still in the safe state."""

    kind = Kind.ROTATION_MOUNT

    @abstractmethod
    def home(self) -> None:
        """Find the zero of its scale."""

    @abstractmethod
    def rotate_to_deg(self, angle_deg: float) -> None:
        """Turn to an angle from its zero, in degrees, and wait until it is there."""

    @abstractmethod
    def angle_deg(self) -> float:
        """Angle where it is, in degrees."""


class FrequencyCounter(Instrument):
    """Counts frequencies against its time base."""

    kind = Kind.FREQUENCY_COUNTER

    @abstractmethod
    def frequency_hz(self, gate_s: float) -> float:
        """Measure a frequency in hertz, with a gate of so many seconds."""


class SpectrumAnalyser(Instrument):
    """Resolves light by wavelength."""

    kind = Kind.SPECTRUM_ANALYSER

    @abstractmethod
    def sweep(self, centre_nm: float, span_nm: float, resolution_nm: float) -> Spectrum:
        """Sweep once around a vacuum wavelength, all in nanometres."""
