"""Yokogawa AQ6370 series optical spectrum analysers."""

import numpy as np

from keybeam.instruments.errors import InstrumentError
from keybeam.instruments.instrument import Identity, Limits, ScpiInstrument, number
from keybeam.instruments.kinds import Spectrum, SpectrumAnalyser

__all__ = ["YokogawaAq6370"]

_WAVELENGTH_NM = Limits(600.0, 1700.0, "nm")
_SPAN_NM = Limits(0.5, 1100.0, "nm")
_RESOLUTION_NM = Limits(0.02, 2.0, "nm")
_SWEEP_S = 120.0
_ANSWER_S = 40.0


class YokogawaAq6370(ScpiInstrument, SpectrumAnalyser):
    """Yokogawa AQ6370C and AQ6370D, 600 to 1700 nm.

    On a network socket it wants a user's name and password first: the factory's ``anonymous``
    and none are given. Every ten minutes it stops for half a minute to set its offset, hence
    40 s for each answer, as its manual advises.

    Manual: Yokogawa, *AQ6370C/AQ6373/AQ6375 Optical Spectrum Analyzer Remote Control User's
    Manual*, IM AQ6370C-17EN, chapters 3 (Ethernet) and 7 (commands).
    """

    model = "yokogawa-aq6370"
    device = "Yokogawa AQ6370C or AQ6370D"
    manual = "Yokogawa, AQ6370C Remote Control User's Manual, IM AQ6370C-17EN, chapters 3 and 7"
    identity = ("AQ6370",)
    error_query = ":SYST:ERR?"

    def identify(self) -> Identity:
        """Log in where the way to it asks for that, then ask who it is."""
        if self.link.name.upper().endswith("SOCKET"):
            self.link.query('OPEN "anonymous"')
            answer = self.link.query("")
            if "READY" not in answer.upper():
                raise InstrumentError(
                    f"{self.link.name} does not let the user anonymous in: {answer!r}"
                )
        return super().identify()

    def prepare(self) -> None:
        """Clear old errors; sweep once when told, answer in AQ637X form, levels in dBm."""
        super().prepare()
        self.command("CFORM1", ":INIT:SMOD SING", ":DISP:TRAC:Y1:SPAC LOG", timeout_s=_ANSWER_S)

    def make_safe(self) -> None:
        """Stop sweeping."""
        self.command(":ABOR", timeout_s=_ANSWER_S)

    def sweep(self, centre_nm: float, span_nm: float, resolution_nm: float) -> Spectrum:
        """Sweep once around a vacuum wavelength."""
        centre = _WAVELENGTH_NM.check("a wavelength", centre_nm)
        span = _SPAN_NM.check("a span", span_nm)
        resolution = _RESOLUTION_NM.check("a resolution", resolution_nm)
        self.command(
            f":SENS:WAV:CENT {number(centre)}NM",
            f":SENS:WAV:SPAN {number(span)}NM",
            f":SENS:BAND:RES {number(resolution)}NM",
            ":SENS:SWE:POIN:AUTO ON",
            timeout_s=_ANSWER_S,
        )
        self.command(":INIT", timeout_s=_SWEEP_S)
        wavelength_m = self._numbers(":TRAC:X? TRA")
        power = self._numbers(":TRAC:Y? TRA")
        if wavelength_m.size != power.size or not power.size:
            raise InstrumentError(
                f"{self.model} at {self.link.name} gave {wavelength_m.size} wavelengths for "
                f"{power.size} levels"
            )
        return Spectrum(1e9 * wavelength_m, power)

    def _numbers(self, message: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        answer = self.link.query(message, timeout_s=_ANSWER_S)
        try:
            return np.array([float(word) for word in answer.split(",")])
        except ValueError:
            raise InstrumentError(
                f"{self.model} at {self.link.name} answered {message!r} by no list of numbers"
            ) from None
