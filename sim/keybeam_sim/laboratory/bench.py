"""The simulated optical bench: what light does between the instruments.

laser ─► monitor ─► intensity modulator ─► polarisation modulator ─► attenuator ─► splitter
                                                                power meter ◄─────────┤
analyser meter ◄─ polariser ◄─ half-wave plate ◄─ HWP ◄─ QWP 2 ◄─ QWP 1 ◄─ fibre ◄────┘
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from keybeam_sim.laboratory.laser import PERIOD_S, STEP_S, LaserDiode
from keybeam_sim.laboratory.modulators import IntensityModulator, PolarisationModulator
from keybeam_sim.laboratory.polarisation import Analyser, WavePlate, random_unitary

__all__ = ["DRIVER_A_PER_V", "PULSE_RATE_HZ", "Bench", "Controls"]

PULSE_RATE_HZ = 625e6
"""Nominal rate of the laser's triggers."""

DRIVER_A_PER_V = 60e-3
"""Pulse current of the driver for each volt of its control voltage."""
_ATTENUATOR_LOSS_DB = 2.0
_MONITOR_V_PER_W = 10.0
_DETECTOR_BANDWIDTH_HZ = 22e9
_SCOPE_NOISE_V = 2e-3
_EDGE_S = 30e-12


@dataclass
class Controls:
    """What the instruments set.

    Attributes
    ----------
    laser_on : bool
        Whether current flows in the diode.
    bias_a, temperature_c : float
        Current in amperes and temperature in °C of the diode.
    trigger_v : float
        Control voltage of the laser's pulse driver: 60 mA of peak current for each volt.
    drive_v, bias_v, polarisation_v : float
        Of the intensity modulator's two electrodes and of the polarisation modulator, in volts.
    attenuation_db : float
        Of the attenuator.
    shutter_open : bool
        Of the attenuator.
    plates_deg : list of float
        Angles of the mounts of QWP 1, QWP 2, HWP and the analyser's plate.
    """

    laser_on: bool = False
    bias_a: float = 0.0
    temperature_c: float = 25.0
    trigger_v: float = 0.0
    drive_v: float = 0.0
    bias_v: float = 0.0
    polarisation_v: float = 0.0
    attenuation_db: float = 0.0
    shutter_open: bool = False
    plates_deg: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])


class Samples(NamedTuple):
    """Voltages of the oscilloscope's two channels."""

    pulses_v: NDArray[np.float64]
    slots_v: NDArray[np.float64]


class Bench:
    """The bench; everything random in it follows from the seed.

    Parameters
    ----------
    seed : int
        Of fibre, drifts and noise.

    Attributes
    ----------
    controls : Controls
        What the instruments set.
    rng : numpy.random.Generator
        Of all noise.
    time_s : float
        Time that measurements have taken so far, in seconds; there is no other clock.
    rate_hz : float
        Pulse rate, which is that of an oscillator with an error.
    pulse_offset_s : float
        By which light is later in a slot, at the oscilloscope, than the laser's own pulse.
    """

    def __init__(self, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.controls = Controls()
        self.time_s = 0.0
        self.laser = LaserDiode()
        self.modulator = IntensityModulator()
        self.polarisation = PolarisationModulator()
        self.fibre = random_unitary(self.rng)
        self.plates = (WavePlate(90.7, 12.4), WavePlate(89.4, -31.9), WavePlate(180.8, 4.1))
        self.analyser = Analyser(WavePlate(179.5, 20.6))
        self.rate_hz = PULSE_RATE_HZ * (1 + 1.7e-6)
        self.pulse_offset_s = 430e-12

    def advance(self, seconds: float) -> None:
        """Let time pass, in which the modulator drifts."""
        self.time_s += seconds
        self.modulator.advance(seconds, self.controls.bias_v, self.rng)

    @property
    def _trigger_a(self) -> float:
        return DRIVER_A_PER_V * max(self.controls.trigger_v, 0.0)

    def laser_power_w(self) -> float:
        """Mean power of the laser in watts."""
        controls = self.controls
        if not controls.laser_on:
            return 0.0
        return self.laser.mean_power_w(controls.bias_a, self._trigger_a, controls.temperature_c)

    def _sent_w(self) -> float:
        """Mean power behind the splitter, in each arm."""
        controls = self.controls
        if not controls.shutter_open:
            return 0.0
        # A filter wheel's transmission is not quite what its scale says.
        wheel_db = 0.04 * math.sin(0.37 * controls.attenuation_db)
        loss_db = self.polarisation.loss_db + _ATTENUATOR_LOSS_DB
        loss_db += controls.attenuation_db + wheel_db + 10 * math.log10(2)
        passed = self.modulator.transmission(controls.drive_v, controls.bias_v)
        return self.laser_power_w() * passed * 10 ** (-loss_db / 10)

    def metered_power_w(self) -> float:
        """Mean power at the power meter in watts."""
        return self._sent_w()

    def analysed_power_w(self) -> float:
        """Mean power at the analyser's meter in watts."""
        controls, modulator = self.controls, self.polarisation
        light = self.fibre @ modulator.field(controls.polarisation_v)
        for plate, angle in zip(self.plates, controls.plates_deg[:3], strict=True):
            light = plate.matrix(angle) @ light
        passed = self.analyser.transmission(light, controls.plates_deg[3])
        half = (1 + self.analyser.extinction) / 2
        share = modulator.polarised_part
        return self._sent_w() * (share * passed + (1 - share) * half)

    def traces(self, samples: int, sample_rate_hz: float) -> Samples:
        """Record the laser's monitor and the intensity modulator's drive.

        The drive is a square wave of two slots' period that crosses 0 V at the slots' borders:
        the pattern signal, vacuum.

        Parameters
        ----------
        samples : int
            Samples, from a rising edge of the drive on.
        sample_rate_hz : float
            Samples a second.
        """
        controls, period_s = self.controls, 1 / self.rate_hz
        duration_s = samples / sample_rate_hz
        count = math.ceil(duration_s / period_s) + 3
        time_s = np.arange(samples) / sample_rate_hz
        power = np.zeros(count * round(PERIOD_S / STEP_S))
        if controls.laser_on and self._trigger_a > 1e-4:
            shapes = self.laser.pulses_w(controls.bias_a, self._trigger_a, controls.temperature_c)
            power = shapes[self.rng.integers(len(shapes), size=count)].ravel()
        elif controls.laser_on:
            power += self.laser.steady_power_w(controls.bias_a, controls.temperature_c)
        # A Gaussian response falls to 1/√2 at the bandwidth.
        sigma = math.sqrt(math.log(2)) / (2 * math.pi * _DETECTOR_BANDWIDTH_HZ) / STEP_S
        light = gaussian_filter1d(_MONITOR_V_PER_W * power, sigma, mode="wrap")
        # The laser's own time runs at the true pulse rate; one period lies before the record.
        scale = PERIOD_S / period_s
        own_s = (time_s + period_s - self.pulse_offset_s) * scale
        pulses = np.interp(own_s / STEP_S, np.arange(light.size), light)
        phase = np.mod(time_s / period_s + 0.5, 2.0) - 0.5
        ramp_s = np.where(phase < 0.5, phase, 1.0 - phase) * period_s
        slots = 0.35 * np.tanh(2 * ramp_s / _EDGE_S)
        noise = _SCOPE_NOISE_V * self.rng.standard_normal((2, samples))
        self.advance(duration_s)
        return Samples(pulses + noise[0], slots + noise[1])
