"""Yokogawa GS200 DC source."""

from keybeam.instruments.instrument import ScpiInstrument, number
from keybeam.instruments.kinds import BiasSource

__all__ = ["YokogawaGs200"]

_VOLTAGE_V = 32.0
_CURRENT_LIMIT_A = 1e-3


class YokogawaGs200(ScpiInstrument, BiasSource):
    """Yokogawa GS200 as a source of voltage, up to ±32 V.

    The current limiter is set to its least, 1 mA: the bias electrode of a modulator draws less.

    Manual: Yokogawa, *GS200 DC Voltage/Current Source User's Manual*, IM GS210-01EN,
    section 13.2.
    """

    model = "yokogawa-gs200"
    device = "Yokogawa GS200"
    manual = "Yokogawa, GS200 User's Manual, IM GS210-01EN, section 13.2"
    identity = ("GS200", "GS210", "GS211")
    required = ("voltage_limit_v",)
    error_query = ":SYST:ERR?"

    def prepare(self) -> None:
        """Clear old errors; output off, source of voltage, current limiter at 1 mA."""
        super().prepare()
        self.command(
            ":OUTP:STAT OFF", ":SOUR:FUNC VOLT", f":SOUR:PROT:CURR {number(_CURRENT_LIMIT_A)}"
        )

    def make_safe(self) -> None:
        """Switch the output off."""
        self.command(":OUTP:STAT OFF")

    def set_voltage_v(self, voltage_v: float) -> None:
        """Set the voltage in volts, in the range that suits it."""
        value = self.settings.voltage_limits(_VOLTAGE_V).check("a bias voltage", voltage_v)
        self.command(f":SOUR:LEV:AUTO {number(value)}")

    def switch_output(self, is_on: bool) -> None:
        """Switch the output on or off."""
        self.command(f":OUTP:STAT {'ON' if is_on else 'OFF'}")
