"""Keithley 2450 source meter."""

from keybeam.instruments.instrument import ScpiInstrument, number
from keybeam.instruments.kinds import BiasSource

__all__ = ["Keithley2450"]

_VOLTAGE_V = 20.0
_CURRENT_LIMIT_A = 1e-3


class Keithley2450(ScpiInstrument, BiasSource):
    """Keithley 2450 as a source of voltage, up to ±20 V, in its SCPI command set.

    The current is limited to 1 mA: the bias electrode of a modulator draws less.

    Manual: Keithley, *Model 2450 Interactive SourceMeter Instrument Reference Manual*,
    2450-901-01, section 6 (SCPI command reference).
    """

    model = "keithley-2450"
    device = "Keithley 2450"
    manual = "Keithley, Model 2450 Reference Manual, 2450-901-01, section 6"
    identity = ("MODEL 2450",)
    required = ("voltage_limit_v",)
    error_query = ":SYST:ERR:NEXT?"

    def prepare(self) -> None:
        """Clear old errors; output off, source of voltage, current limited to 1 mA."""
        super().prepare()
        self.command(
            ":OUTP OFF",
            ":SOUR:FUNC VOLT",
            ":SOUR:VOLT:RANG:AUTO ON",
            f":SOUR:VOLT:ILIM {number(_CURRENT_LIMIT_A)}",
        )

    def make_safe(self) -> None:
        """Switch the output off."""
        self.command(":OUTP OFF")

    def set_voltage_v(self, voltage_v: float) -> None:
        """Set the voltage in volts."""
        value = self.settings.voltage_limits(_VOLTAGE_V).check("a bias voltage", voltage_v)
        self.command(f":SOUR:VOLT {number(value)}")

    def switch_output(self, is_on: bool) -> None:
        """Switch the output on or off."""
        self.command(f":OUTP {'ON' if is_on else 'OFF'}")
