"""Thorlabs ITC4001 laser diode and temperature controller."""

from keybeam.instruments.instrument import Limits, ScpiInstrument, number
from keybeam.instruments.kinds import LaserController

__all__ = ["ThorlabsItc4001"]

_CURRENT_A = 1.0
_TEMPERATURE_C = Limits(5.0, 45.0, "°C")


class ThorlabsItc4001(ScpiInstrument, LaserController):
    """Thorlabs ITC4001, 1 A, and its larger sisters ITC4002QCL and ITC4005 up to 1 A.

    The limit of the station file is loaded as the controller's own current limit as well, so
    that a hand at the front panel cannot exceed it either. Temperatures are kept between 5 and
    45 °C, since most diodes bear no more.

    Manual: Thorlabs, *Series 4000 SCPI Programmers Reference Manual*, version 3.2, sections on
    the SOURce1, SOURce2, OUTPut and MEASure subsystems.
    """

    model = "thorlabs-itc4001"
    device = "Thorlabs ITC4001, ITC4002QCL or ITC4005"
    manual = "Thorlabs, Series 4000 SCPI Programmers Reference Manual, version 3.2"
    identity = ("ITC400",)
    required = ("current_limit_a",)

    @property
    def _current(self) -> Limits:
        limit = self.settings.current_limit_a
        assert limit is not None
        return Limits(0.0, min(limit, _CURRENT_A), "A")

    def prepare(self) -> None:
        """Clear old errors; laser off, constant current, its limit loaded."""
        super().prepare()
        self.command(
            "OUTP1:STAT OFF",
            "SOUR1:FUNC:MODE CURR",
            f"SOUR1:CURR:LIM {number(self._current.high)}",
            "SOUR2:FUNC TEMP",
            "UNIT:TEMP C",
        )

    def make_safe(self) -> None:
        """Take the current back and switch the laser off; the cooler stays on."""
        self.command("SOUR1:CURR 0", "OUTP1:STAT OFF")

    def set_temperature_c(self, temperature_c: float) -> None:
        """Set the diode's temperature, 5 to 45 °C, and switch the cooler on."""
        value = _TEMPERATURE_C.check("a temperature", temperature_c)
        self.command(f"SOUR2:TEMP {number(value)}", "OUTP2:STAT ON")

    def temperature_c(self) -> float:
        """Measure the diode's temperature in °C."""
        return self.read_number("MEAS:TEMP?")

    def set_current_a(self, current_a: float) -> None:
        """Set the diode's current in amperes, up to the limit."""
        value = self._current.check("a laser current", current_a)
        self.command(f"SOUR1:CURR {number(value)}")

    def current_a(self) -> float:
        """Measure the diode's current in amperes."""
        return self.read_number("MEAS:CURR1?")

    def switch_laser(self, is_on: bool) -> None:
        """Switch the diode's current on or off."""
        self.command(f"OUTP1:STAT {'ON' if is_on else 'OFF'}")
