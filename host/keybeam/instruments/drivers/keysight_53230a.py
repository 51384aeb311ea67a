"""Keysight 53230A universal counter."""

from keybeam.instruments.instrument import Limits, ScpiInstrument, number
from keybeam.instruments.kinds import FrequencyCounter

__all__ = ["Keysight53230a"]

_GATE_S = Limits(1e-3, 1000.0, "s")


class Keysight53230a(ScpiInstrument, FrequencyCounter):
    """Keysight 53230A, and 53220A and 53210A.

    The channel is 1 or 2, up to 350 MHz, or 3, the microwave option; 1 without. The pulse rate
    of 625 MHz needs channel 3, or a marker output that divides it.

    Manual: Keysight, *53210A/53220A/53230A Programmer's Reference*: CONFigure, INPut and
    SENSe:FREQuency subsystems.
    """

    model = "keysight-53230a"
    device = "Keysight 53230A, 53220A or 53210A"
    manual = "Keysight, 53210A/53220A/53230A Programmer's Reference (CONFigure, INPut, SENSe)"
    identity = ("53210A", "53220A", "53230A")

    @property
    def _input(self) -> str:
        return self.settings.channel or "1"

    def prepare(self) -> None:
        """Clear old errors; frequency of the channel, 50 Ω where it can be chosen."""
        super().prepare()
        self.command(f"CONF:FREQ (@{self._input})")
        if self._input != "3":
            self.command(f"INP{self._input}:COUP AC", f"INP{self._input}:IMP 50")

    def make_safe(self) -> None:
        """Stop measuring."""
        self.command("ABOR")

    def frequency_hz(self, gate_s: float) -> float:
        """Measure a frequency in hertz, with a gate of 1 ms to 1000 s."""
        gate = _GATE_S.check("a gate", gate_s)
        self.command("SENS:FREQ:GATE:SOUR TIME", f"SENS:FREQ:GATE:TIME {number(gate)}")
        return self.read_number("READ?", timeout_s=5.0 + 2 * gate)
