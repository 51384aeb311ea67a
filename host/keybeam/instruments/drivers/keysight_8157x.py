"""Keysight 8157xA attenuator modules in an 8163, 8164 or 8166 mainframe."""

from keybeam.instruments.errors import InstrumentError
from keybeam.instruments.instrument import Identity, Limits, ScpiInstrument, number
from keybeam.instruments.kinds import Attenuator

__all__ = ["Keysight81577a", "Keysight81578a"]

_SETTLING_S = 10.0


class Keysight81577a(ScpiInstrument, Attenuator):
    """Keysight (Agilent) 81577A, for single-mode fibre, 1200 to 1700 nm.

    The channel is the slot of the mainframe, 1 without.

    Manual: Keysight, *8163A/B, 8164A/B and 8166A/B Mainframes, Programming Guide*
    (08164-90B65), "Signal Conditioning: The INPut and OUTput commands".
    """

    model = "keysight-81577a"
    device = "Keysight 8163A/B, 8164A/B or 8166A/B mainframe with an 81577A"
    manual = "Keysight, 8163A/B, 8164A/B & 8166A/B Programming Guide, 08164-90B65, chapter 4"
    identity = ("8163", "8164", "8166")

    _module = "81577A"
    _wavelength = Limits(1200.0, 1700.0, "nm")
    _attenuation = Limits(0.0, 60.0, "dB")

    @property
    def _slot(self) -> str:
        return self.settings.channel or "1"

    def identify(self) -> Identity:
        """Ask the mainframe who it is, and the slot what it holds.

        Raises
        ------
        InstrumentError
            If the slot holds another module.
        """
        frame = super().identify()
        answer = self.link.query(f":SLOT{self._slot}:IDN?")
        if self._module not in answer:
            raise InstrumentError(
                f"slot {self._slot} of {self.link.name} holds {answer!r}, not an {self._module}"
            )
        module = [field.strip() for field in answer.split(",")] + 4 * [""]
        return Identity(frame.manufacturer, module[1], module[2], module[3])

    def make_safe(self) -> None:
        """Close the shutter."""
        self.command(f":OUTP{self._slot}:STAT OFF")

    def set_wavelength_nm(self, wavelength_nm: float) -> None:
        """Choose the calibration for a wavelength in nanometres."""
        value = self._wavelength.check("a wavelength", wavelength_nm)
        self.command(f":INP{self._slot}:WAV {number(value)}NM")

    def set_attenuation_db(self, attenuation_db: float) -> None:
        """Set the attenuation, 0 to 60 dB, the insertion loss not counted."""
        value = self._attenuation.check("an attenuation", attenuation_db)
        self.command(f":INP{self._slot}:ATT {number(value)}DB", timeout_s=_SETTLING_S)

    def attenuation_db(self) -> float:
        """Attenuation that is set, in dB."""
        return self.read_number(f":INP{self._slot}:ATT?")

    def open_shutter(self, is_open: bool) -> None:
        """Open or close the shutter."""
        self.command(f":OUTP{self._slot}:STAT {'ON' if is_open else 'OFF'}")


class Keysight81578a(Keysight81577a):
    """Keysight (Agilent) 81578A, for multimode fibre, 700 to 1400 nm.

    Behind it light of a single-mode fibre is in several modes: good for mean photon numbers, not
    for polarisation.

    Manual: as `Keysight81577a`.
    """

    model = "keysight-81578a"
    device = "Keysight 8163A/B, 8164A/B or 8166A/B mainframe with an 81578A"

    _module = "81578A"
    _wavelength = Limits(700.0, 1400.0, "nm")
