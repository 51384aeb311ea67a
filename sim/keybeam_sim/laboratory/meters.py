"""Simulated instruments that measure something at the bench."""

import math
from collections.abc import Callable

import numpy as np

from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam_sim.laboratory.bench import Bench
from keybeam_sim.laboratory.scpi import ScpiDevice, parse_number

__all__ = ["FrequencyCounter", "Oscilloscope", "PowerMeter", "SpectrumAnalyser"]

_READING_S = 3e-3
_NOISE_FLOOR_W = 4e-11
_NOISE_PART = 2e-3
_CALIBRATION_U = 0.015


class PowerMeter(ScpiDevice):
    """As a Thorlabs PM100D with a photodiode sensor of ±3 % (k = 2) and 40 pW noise a reading."""

    identity = "Thorlabs,PM100D,P0000006,2.5.0"

    def __init__(self, bench: Bench, power_w: Callable[[], float]) -> None:
        super().__init__()
        self._bench, self._power_w = bench, power_w
        self._gain = 1 + _CALIBRATION_U * bench.rng.standard_normal()
        self._dark_w = 1.5e-10 * bench.rng.uniform(0.5, 1.5)
        self._offset_w, self._averages = 0.0, 1
        self.ignore("CONFigure:POWer", "SENSe:POWer:UNIT", "SENSe:POWer:RANGe:AUTO")
        self.on("SENSe:CORRection:WAVelength", self._check_wavelength)
        self.on("SENSe:AVERage:COUNt", self._set_averages)
        self.on("SENSe:CORRection:COLLect:ZERO:INITiate", self._zero)
        self.on("SENSe:CORRection:COLLect:ZERO:STATe?", lambda *_: "0")
        self.on("READ?", lambda *_: f"{self._read() - self._offset_w:.8E}")

    def _check_wavelength(self, _, parameters) -> None:
        parse_number(parameters[0], 400.0, 1100.0)

    def _set_averages(self, _, parameters) -> None:
        self._averages = round(parse_number(parameters[0], 1, 3000))

    def _zero(self, *_) -> None:
        # Whatever light there is counts as dark: the meter cannot know.
        self._offset_w = self._read()

    def _read(self) -> float:
        true_w = self._power_w()
        noise_w = math.hypot(_NOISE_FLOOR_W, _NOISE_PART * true_w) / math.sqrt(self._averages)
        self._bench.advance(self._averages * _READING_S)
        return self._gain * true_w + self._dark_w + noise_w * self._bench.rng.standard_normal()


class FrequencyCounter(ScpiDevice):
    """As a Keysight 53230A at the transmitter's marker, which marks frames."""

    identity = "Keysight Technologies,53230A,MY00000007,03.05"
    _reference_u = 5e-8
    _single_shot_s = 20e-12

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench, self._gate_s = bench, 0.1
        self._reference = 1 + self._reference_u * bench.rng.standard_normal()
        self.ignore(
            "CONFigure:FREQuency", "INPut#:COUPling", "INPut#:IMPedance", "ABORt",
            "SENSe:FREQuency:GATE:SOURce",
        )  # fmt: skip
        self.on("SENSe:FREQuency:GATE:TIME", self._set_gate)
        self.on("READ?", lambda *_: f"{self._read():+.15E}")

    def _set_gate(self, _, parameters) -> None:
        self._gate_s = parse_number(parameters[0], 1e-3, 1e3)

    def _read(self) -> float:
        self._bench.advance(self._gate_s)
        noise = (
            math.sqrt(2) * self._single_shot_s / self._gate_s * self._bench.rng.standard_normal()
        )
        return self._bench.rate_hz / FRAME_SLOTS * self._reference * (1 + noise)


class SpectrumAnalyser(ScpiDevice):
    """As a Yokogawa AQ6370D at the laser's monitor."""

    identity = "YOKOGAWA,AQ6370D,00000008,01.00"
    _noise_dbm, _side_mode_db, _mode_spacing_nm = -72.0, -38.0, 0.31
    _wavelength_error_nm = 0.012

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench, self._logged_in = bench, False
        self._centre_m, self._span_m, self._resolution_m = 850e-9, 10e-9, 0.1e-9
        self._wavelength_nm, self._power_dbm = np.zeros(0), np.zeros(0)
        self.ignore("CFORM1", "INITiate:SMODe", "DISPlay:TRACe:Y1:SPACing", "ABORt")
        self.ignore("SENSe:SWEep:POINts:AUTO")
        self.on("SENSe:WAVelength:CENTer", self._set_centre)
        self.on("SENSe:WAVelength:SPAN", self._set_span)
        self.on("SENSe:BANDwidth[:RESolution]", self._set_resolution)
        self.on("INITiate[:IMMediate]", lambda *_: self._sweep())
        self.on("TRACe:X?", lambda *_: ",".join(f"{1e-9 * x:+.8E}" for x in self._wavelength_nm))
        self.on("TRACe:Y?", lambda *_: ",".join(f"{y:+.6E}" for y in self._power_dbm))

    def handle(self, line: str) -> bytes | None:
        """Let nothing pass before a user has logged in; see the driver."""
        if line.upper().startswith("OPEN "):
            self._logged_in = False
            return b"AUTHENTICATE CRAM-MD5.\n"
        if not line and not self._logged_in:
            self._logged_in = True
            return b"ready\n"
        return super().handle(line) if self._logged_in else None

    def _set_centre(self, _, parameters) -> None:
        self._centre_m = parse_number(parameters[0], 600e-9, 1700e-9)

    def _set_span(self, _, parameters) -> None:
        self._span_m = parse_number(parameters[0], 0.0, 1100e-9)

    def _set_resolution(self, _, parameters) -> None:
        self._resolution_m = parse_number(parameters[0], 0.02e-9, 2e-9)

    def _sweep(self) -> None:
        """Convolve the laser's lines with the slit, a Gaussian of the resolution as its FWHM."""
        controls, laser = self._bench.controls, self._bench.laser
        resolution_nm = 1e9 * self._resolution_m
        points = round(5 * self._span_m / self._resolution_m) + 1
        half_nm = 5e8 * self._span_m
        axis = 1e9 * self._centre_m + np.linspace(-half_nm, half_nm, points)
        line_nm = laser.emitted_nm(controls.bias_a, controls.temperature_c)
        line_nm += self._wavelength_error_nm
        # Pulses are chirped: the line is much wider than that of a constant current.
        own_nm = 0.12 if controls.trigger_v > 0 else 0.005
        sigma = math.hypot(own_nm, resolution_nm) / math.sqrt(8 * math.log(2))
        total = np.zeros(points)
        for order in range(-4, 5):
            part = 1.0 if order == 0 else 10 ** ((self._side_mode_db - 2 * abs(order)) / 10)
            offset = axis - line_nm - order * self._mode_spacing_nm
            total += part * np.exp(-0.5 * (offset / sigma) ** 2)
        power_mw = 1e3 * self._bench.laser_power_w() * 0.1 * total * resolution_nm
        power_mw = power_mw / math.hypot(own_nm, resolution_nm)
        floor = 10 ** (self._noise_dbm / 10) * self._bench.rng.exponential(size=points)
        self._wavelength_nm, self._power_dbm = axis, 10 * np.log10(power_mw + floor)
        self._bench.advance(2.0)


class Oscilloscope(ScpiDevice):
    """As a Keysight DSAV334A: channel 1 the laser's monitor, channel 2 the modulator's drive."""

    identity = "KEYSIGHT TECHNOLOGIES,DSAV334A,MY00000009,06.40.00609"
    error_answer = "{code}"
    _codes = 1 << 15

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench, self._rate_hz, self._points = bench, 80e9, 1000
        self._scale_v = {"1": 0.1, "2": 0.1, "3": 0.1, "4": 0.1}
        self._source, self._records = "1", {"1": np.zeros(0), "2": np.zeros(0)}
        self.ignore(
            "SYSTem:HEADer", "ACQuire:MODE", "ACQuire:AVERage", "WAVeform:FORMat",
            "WAVeform:BYTeorder", "WAVeform:STReaming", "STOP", "CHANnel#:DISPlay",
            "CHANnel#:OFFSet", "TIMebase:RANGe", "TIMebase:REFerence", "TRIGger:MODE",
            "TRIGger:EDGE:SOURce", "TRIGger:EDGE:SLOPe", "TRIGger:LEVel",
        )  # fmt: skip
        self.on("CHANnel#:SCALe", self._set_scale)
        self.on("ACQuire:SRATe[:ANALog]", self._set_rate)
        self.on("ACQuire:POINts[:ANALog]", self._set_points)
        self.on("DIGitize", lambda *_: self._record())
        self.on("WAVeform:SOURce", self._set_source)
        self.on("WAVeform:XINCrement?", lambda *_: f"{1 / self._rate_hz:.12E}")
        self.on("WAVeform:XORigin?", lambda *_: f"{0.0:.12E}")
        self.on("WAVeform:YINCrement?", lambda *_: f"{self._step_v():.12E}")
        self.on("WAVeform:YORigin?", lambda *_: f"{0.0:.12E}")
        self.on("WAVeform:DATA?", lambda *_: self._block())

    def _set_scale(self, match, parameters) -> None:
        self._scale_v[match.group(1)] = parse_number(parameters[0], 1e-3, 5.0)

    def _set_rate(self, _, parameters) -> None:
        self._rate_hz = parse_number(parameters[0], 1e3, 80e9)

    def _set_points(self, _, parameters) -> None:
        self._points = round(parse_number(parameters[0], 16, 2e7))

    def _set_source(self, _, parameters) -> None:
        self._source = parameters[0][-1]

    def _step_v(self) -> float:
        return 8 * self._scale_v[self._source] / (2 * self._codes)

    def _record(self) -> None:
        samples = self._bench.traces(self._points, self._rate_hz)
        self._records = {"1": samples.pulses_v, "2": samples.slots_v}

    def _block(self) -> bytes:
        record = self._records.get(self._source, np.zeros(0))
        codes = np.clip(np.round(record / self._step_v()), -self._codes, self._codes - 1)
        content = codes.astype("<i2").tobytes()
        length = str(len(content))
        return f"#{len(length)}{length}".encode() + content
