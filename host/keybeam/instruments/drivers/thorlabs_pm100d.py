"""Thorlabs PM100D optical power meter."""

import time

from keybeam.instruments.errors import InstrumentTimeoutError
from keybeam.instruments.instrument import Limits, ScpiInstrument, number
from keybeam.instruments.kinds import PowerMeter

__all__ = ["ThorlabsPm100d"]

_WAVELENGTH_NM = Limits(185.0, 25_000.0, "nm")
_AVERAGES = Limits(1, 3000, "readings")
_READING_S = 3e-3
_ZERO_S = 30.0
_POLL_S = 0.1


class ThorlabsPm100d(ScpiInstrument, PowerMeter):
    """Thorlabs PM100D, and PM100USB and PM400, which take the same commands.

    The range is chosen by the meter itself. A reading of the meter takes 3 ms, so 300 averages
    take 0.9 s. The wavelength is checked against what the console takes; a sensor that covers
    less says so by an error.

    Manual: Thorlabs, *Operation Manual PM100D*, section 6 (SCPI commands).
    """

    model = "thorlabs-pm100d"
    device = "Thorlabs PM100D, PM100USB or PM400"
    manual = "Thorlabs, Operation Manual PM100D, section 6, SCPI commands"
    identity = ("PM100", "PM400")

    _averages = 1

    def prepare(self) -> None:
        """Clear old errors; measure power in watts, in the range that the meter chooses."""
        super().prepare()
        self.command("CONF:POW", "SENS:POW:UNIT W", "SENS:POW:RANG:AUTO 1")

    def make_safe(self) -> None:
        """Do nothing: a meter harms nothing."""

    def set_wavelength_nm(self, wavelength_nm: float) -> None:
        """Choose the calibration for a wavelength, 185 to 25 000 nm."""
        value = _WAVELENGTH_NM.check("a wavelength", wavelength_nm)
        self.command(f"SENS:CORR:WAV {number(value)}")

    def set_averages(self, readings: int) -> None:
        """Set how many readings of 3 ms are averaged to one, 1 to 3000."""
        self._averages = int(_AVERAGES.check("an average", readings))
        self.command(f"SENS:AVER:COUN {self._averages}")

    def zero(self) -> None:
        """Measure the offset without light, which may take half a minute, and subtract it."""
        self.command("SENS:CORR:COLL:ZERO:INIT")
        end = time.monotonic() + _ZERO_S
        while int(self.read_number("SENS:CORR:COLL:ZERO:STAT?")):
            if time.monotonic() > end:
                self.command("SENS:CORR:COLL:ZERO:ABOR")
                raise InstrumentTimeoutError(
                    f"{self.model} at {self.link.name} was not zeroed within {_ZERO_S:g} s"
                )
            # The meter raises no event at the end of it.
            time.sleep(_POLL_S)
        self.check_errors("SENS:CORR:COLL:ZERO:INIT")

    def power_w(self) -> float:
        """Measure power in watts."""
        return self.read_number("READ?", timeout_s=5.0 + self._averages * _READING_S)
