"""The transmitter's source on the bench, run as calibration and station file say."""

from collections.abc import Callable
from dataclasses import dataclass

from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.kinds import (
    Attenuator,
    BiasSource,
    LaserController,
    PowerMeter,
    RotationMount,
    WaveformGenerator,
)
from keybeam.instruments.station import OpenStation
from keybeam.transmitter.calibration_file import ModulatorCalibration, TransmitterCalibration

__all__ = ["SOURCE", "Rig", "Tell"]

SOURCE = ("laser", "trigger-level", "modulator-bias", "intensity-drive", "attenuator")
"""What makes light: needed by every routine that measures power. The laser is made safe first."""

Tell = Callable[[str, float], None]
"""Told what is done now, and the part of it that is over, 0 to 1."""

_BIAS_STEPS = 13
_AVERAGES = 100


@dataclass(frozen=True)
class Rig:
    """The open instruments and what is known of the transmitter.

    Attributes
    ----------
    station : OpenStation
        The instruments.
    calibration : TransmitterCalibration
        What earlier routines found.
    tell : callable
        Told of the progress.
    """

    station: OpenStation
    calibration: TransmitterCalibration
    tell: Tell

    @property
    def laser(self) -> LaserController:
        """The laser's controller."""
        return self.station.get("laser", LaserController)

    @property
    def trigger(self) -> WaveformGenerator:
        """Control voltage of the laser's pulse driver."""
        return self.station.get("trigger-level", WaveformGenerator)

    @property
    def bias(self) -> BiasSource:
        """Bias of the intensity modulator."""
        return self.station.get("modulator-bias", BiasSource)

    @property
    def drive(self) -> WaveformGenerator:
        """Drive of the intensity modulator."""
        return self.station.get("intensity-drive", WaveformGenerator)

    @property
    def attenuator(self) -> Attenuator:
        """The attenuator."""
        return self.station.get("attenuator", Attenuator)

    @property
    def modulator(self) -> ModulatorCalibration:
        """What is known of the intensity modulator.

        Raises
        ------
        MeasurementError
            If nothing is.
        """
        if self.calibration.modulator is None:
            raise MeasurementError(
                "the calibration has no modulator: run `keybeam instruments measure modulator` "
                "first"
            )
        return self.calibration.modulator

    def working_point(self) -> tuple[float, float, float]:
        """Temperature in °C, bias in A and trigger level in V: measured, or the station's."""
        known, given = self.calibration.laser, self.station.file.source
        if known is not None:
            return known.temperature_c, known.bias_a, known.trigger_level_v
        return given.temperature_c, given.bias_a, given.trigger_level_v

    def meter(self, name: str, averages: int = _AVERAGES) -> PowerMeter:
        """Set up a power meter and zero it; the laser must be off."""
        meter = self.station.get(name, PowerMeter)
        meter.set_wavelength_nm(self.station.file.wavelength_nm)
        meter.set_averages(averages)
        self.tell("zeroing the meter", 0.0)
        meter.zero()
        self.tell("zeroing the meter", 1.0)
        return meter

    def switch_on_laser(self) -> None:
        """Run the laser at its working point."""
        temperature, current, level = self.working_point()
        self.laser.set_temperature_c(temperature)
        self.trigger.set_level_v(level)
        self.trigger.switch_output(True)
        self.laser.set_current_a(current)
        self.laser.switch_laser(True)

    def open_path(self, attenuation_db: float = 0.0) -> None:
        """Let light pass the attenuator."""
        self.attenuator.set_wavelength_nm(self.station.file.wavelength_nm)
        self.attenuator.set_attenuation_db(attenuation_db)
        self.attenuator.open_shutter(True)

    def sweep_bias(self, read_power: Callable[[], float]) -> tuple[list[float], list[float]]:
        """Read power over the range that the bias may have, with the drive at 0 V."""
        limit = self.station.entry("modulator-bias").settings.voltage_limit_v or 0.0
        self.drive.set_level_v(0.0)
        self.drive.switch_output(True)
        self.bias.set_voltage_v(0.0)
        self.bias.switch_output(True)
        voltages = [limit * (2 * step / (_BIAS_STEPS - 1) - 1) for step in range(_BIAS_STEPS)]
        powers = []
        for step, voltage in enumerate(voltages):
            self.bias.set_voltage_v(voltage)
            powers.append(read_power())
            self.tell("sweeping the bias", (step + 1) / _BIAS_STEPS)
        return voltages, powers

    def pass_most(self, read_power: Callable[[], float]) -> None:
        """Let the intensity modulator pass most light: as calibrated, or where a sweep finds it."""
        known = self.calibration.modulator
        if known is None:
            voltages, powers = self.sweep_bias(read_power)
            self.bias.set_voltage_v(voltages[powers.index(max(powers))])
            return
        self.bias.set_voltage_v(known.null_bias_v)
        self.bias.switch_output(True)
        self.drive.set_level_v(known.levels_v["signal"])
        self.drive.switch_output(True)

    def turn(self, name: str, axis_deg: float) -> None:
        """Turn a mount so that its plate's fast axis is at an azimuth."""
        mount = self.station.get(name, RotationMount)
        mount.rotate_to_deg((axis_deg + self.station.entry(name).zero_deg) % 360.0)
