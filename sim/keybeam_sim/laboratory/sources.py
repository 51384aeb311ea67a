"""Simulated instruments that set something at the bench."""

from typing import Literal

from keybeam_sim.laboratory.bench import Bench
from keybeam_sim.laboratory.scpi import ScpiDevice, ScpiError, parse_number, parse_switch

__all__ = ["Attenuator", "BiasSource", "LaserController", "WaveformGenerator"]

DriveName = Literal["drive_v", "polarisation_v", "trigger_v"]


class LaserController(ScpiDevice):
    """As a Thorlabs ITC4001; its temperature follows the set point within 0.01 °C."""

    identity = "Thorlabs,ITC4001,M00000001,1.8.0/1.5.0"

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._controls, self._bench = bench.controls, bench
        self._limit_a, self._cooled, self._wanted_c = 1.0, False, 25.0
        self.on("OUTPut#[:STATe]", self._switch)
        self.on("SOURce#:CURRent:LIMit[:AMPLitude]", self._set_limit)
        self.on("SOURce#:CURRent[:LEVel][:IMMediate][:AMPLitude]", self._set_current)
        self.on("SOURce#:TEMPerature[:SPOint]", self._set_temperature)
        self.ignore("SOURce#:FUNCtion:MODE", "SOURce#:FUNCtion", "UNIT:TEMPerature")
        self.on("MEASure:CURRent#?", lambda *_: self._answer(self._flowing_a(), 2e-6))
        self.on("MEASure:TEMPerature?", lambda *_: self._answer(self._controls.temperature_c, 2e-3))

    def _answer(self, value: float, noise: float) -> str:
        return f"{value + noise * self._bench.rng.standard_normal():.6e}"

    def _flowing_a(self) -> float:
        return self._controls.bias_a if self._controls.laser_on else 0.0

    def _switch(self, match, parameters) -> None:
        is_on = parse_switch(parameters[0])
        if match.group(1) == "2":
            self._cooled = is_on
            self._settle()
        elif is_on and not self._cooled:
            raise ScpiError(-221, "Settings conflict; TEC is off")
        else:
            self._controls.laser_on = is_on

    def _settle(self) -> None:
        if self._cooled:
            self._controls.temperature_c = self._wanted_c + 0.01 * self._bench.rng.uniform(-1, 1)
            self._bench.advance(5.0)

    def _set_limit(self, _, parameters) -> None:
        self._limit_a = parse_number(parameters[0], 0.0, 1.0)

    def _set_current(self, _, parameters) -> None:
        self._controls.bias_a = parse_number(parameters[0], 0.0, self._limit_a)

    def _set_temperature(self, _, parameters) -> None:
        self._wanted_c = parse_number(parameters[0], -55.0, 150.0)
        self._settle()


class BiasSource(ScpiDevice):
    """As a Yokogawa GS200, at the bias electrode of the intensity modulator."""

    identity = "YOKOGAWA,GS210,00000002,2.02"

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._controls, self._level_v, self._is_on = bench.controls, 0.0, False
        self.on("OUTPut[:STATe]", self._switch)
        self.on("SOURce:LEVel:AUTO", self._set_level)
        self.ignore("SOURce:FUNCtion", "SOURce:PROTection:CURRent")

    def _switch(self, _, parameters) -> None:
        self._is_on = parse_switch(parameters[0])
        self._apply()

    def _set_level(self, _, parameters) -> None:
        self._level_v = parse_number(parameters[0], -32.0, 32.0)
        self._apply()

    def _apply(self) -> None:
        self._controls.bias_v = self._level_v if self._is_on else 0.0


class WaveformGenerator(ScpiDevice):
    """As a Keysight 33622A whose two outputs drive two things at the bench."""

    identity = "Keysight Technologies,33622A,MY00000003,A.02.03-3.15-03-64-02"

    def __init__(self, bench: Bench, outputs: dict[str, DriveName]) -> None:
        super().__init__()
        self._controls, self._outputs = bench.controls, outputs
        self._level_v = dict.fromkeys(outputs, 0.0)
        self._is_on = dict.fromkeys(outputs, False)
        self._high_v, self._low_v = dict.fromkeys(outputs, 5.0), dict.fromkeys(outputs, -5.0)
        self.on("OUTPut#[:STATe]", self._switch)
        self.on("[SOURce#:]VOLTage:OFFSet", self._set_level)
        self.on("[SOURce#:]VOLTage:LIMit:HIGH", self._set_high)
        self.on("[SOURce#:]VOLTage:LIMit:LOW", self._set_low)
        self.ignore("OUTPut#:LOAD", "[SOURce#:]FUNCtion", "[SOURce#:]VOLTage:LIMit:STATe")

    def _output(self, match) -> str:
        output = match.group(1) or "1"
        if output not in self._outputs:
            raise ScpiError(-114, "Header suffix out of range")
        return output

    def _switch(self, match, parameters) -> None:
        self._is_on[self._output(match)] = parse_switch(parameters[0])
        self._apply()

    def _set_level(self, match, parameters) -> None:
        output = self._output(match)
        level = parse_number(parameters[0], self._low_v[output], self._high_v[output])
        self._level_v[output] = level
        self._apply()

    def _set_high(self, match, parameters) -> None:
        self._high_v[self._output(match)] = parse_number(parameters[0], -5.0, 5.0)

    def _set_low(self, match, parameters) -> None:
        self._low_v[self._output(match)] = parse_number(parameters[0], -5.0, 5.0)

    def _apply(self) -> None:
        for output, name in self._outputs.items():
            level = self._level_v[output] if self._is_on[output] else 0.0
            setattr(self._controls, name, level)


class Attenuator(ScpiDevice):
    """As a Keysight 81578A in slot 1 of an 8163B."""

    identity = "Keysight Technologies,8163B,MY00000004,V5.25(72637)"

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._controls = bench.controls
        self.on("SLOT#:IDN?", self._module)
        self.on("OUTPut#[:STATe]", self._switch)
        self.on("INPut#:ATTenuation", self._set_attenuation)
        self.on("INPut#:ATTenuation?", lambda *_: f"{self._controls.attenuation_db:.4f}")
        self.on("INPut#:WAVelength", lambda _, words: self._check_wavelength(words[0]))

    def _module(self, match, _) -> str:
        if match.group(1) not in ("", "1"):
            raise ScpiError(-241, "Hardware missing")
        return "Keysight Technologies,81578A,MY00000005,V1.00"

    def _check_wavelength(self, text: str) -> None:
        parse_number(text, 700e-9, 1400e-9)

    def _switch(self, _, parameters) -> None:
        self._controls.shutter_open = parse_switch(parameters[0])

    def _set_attenuation(self, _, parameters) -> None:
        self._controls.attenuation_db = parse_number(parameters[0], 0.0, 60.0)
