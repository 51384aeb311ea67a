"""Keysight 33600A waveform generators."""

from keybeam.instruments.instrument import ScpiInstrument, number
from keybeam.instruments.kinds import WaveformGenerator

__all__ = ["Keysight33600a"]

_LEVEL_V = 5.0


class Keysight33600a(ScpiInstrument, WaveformGenerator):
    """Keysight 33600A series (33611A to 33622A), one output of it, up to ±5 V at 50 Ω.

    The channel is 1 or 2, 1 without. The limit of the station file is loaded as the generator's
    own limits of the voltage.

    Manual: Keysight, *33500B and 33600A Series Trueform Waveform Generators, Operating and
    Service Guide*, 33500-90901, SCPI Programming Reference, subsystems OUTPut and SOURce.
    """

    model = "keysight-33600a"
    device = "Keysight 33611A, 33612A, 33621A or 33622A"
    manual = "Keysight, 33500B and 33600A Series Operating and Service Guide, 33500-90901, SCPI"
    identity = ("33611A", "33612A", "33621A", "33622A")
    required = ("voltage_limit_v",)

    @property
    def _output(self) -> str:
        return self.settings.channel or "1"

    def prepare(self) -> None:
        """Clear old errors; output off, 50 Ω, a constant level of 0 V, the limits loaded."""
        super().prepare()
        output, level = self._output, self.settings.voltage_limits(_LEVEL_V)
        self.command(
            f"OUTP{output} OFF",
            f"OUTP{output}:LOAD 50",
            f"SOUR{output}:VOLT:LIM:STAT OFF",
            f"SOUR{output}:FUNC DC",
            f"SOUR{output}:VOLT:OFFS 0",
            f"SOUR{output}:VOLT:LIM:HIGH {number(level.high)}",
            f"SOUR{output}:VOLT:LIM:LOW {number(level.low)}",
            f"SOUR{output}:VOLT:LIM:STAT ON",
        )

    def make_safe(self) -> None:
        """Go to 0 V and switch the output off."""
        self.command(f"SOUR{self._output}:VOLT:OFFS 0", f"OUTP{self._output} OFF")

    def set_level_v(self, level_v: float) -> None:
        """Set a constant voltage, in volts at 50 Ω."""
        value = self.settings.voltage_limits(_LEVEL_V).check("a level", level_v)
        self.command(f"SOUR{self._output}:VOLT:OFFS {number(value)}")

    def switch_output(self, is_on: bool) -> None:
        """Switch the output on or off."""
        self.command(f"OUTP{self._output} {'ON' if is_on else 'OFF'}")
