"""Keysight Infiniium oscilloscopes."""

from collections.abc import Mapping

import numpy as np

from keybeam.instruments.errors import InstrumentError
from keybeam.instruments.instrument import Limits, ScpiInstrument, number
from keybeam.instruments.kinds import Oscilloscope, Trace

__all__ = ["KeysightInfiniium"]

_CHANNELS = Limits(1, 4, "channel")
_SCALE_V = Limits(1e-3, 8.0, "V")
_SAMPLES = Limits(16, 20_000_000, "samples")
_SAMPLE_RATE_HZ = Limits(1e3, 80e9, "Hz")
_DIVISIONS = 8
_ACQUISITION_S = 30.0


class KeysightInfiniium(ScpiInstrument, Oscilloscope):
    """Keysight Infiniium S, V, Z and MXR series; 80 GSa/s and 33 GHz are those of the DSAV334A.

    Samples come as words of 16 bits, with the scale that the oscilloscope tells.

    Manual: Keysight, *Infiniium Oscilloscopes Programmer's Guide*: ACQuire, CHANnel, DIGitize,
    TIMebase, TRIGger and WAVeform commands.
    """

    model = "keysight-infiniium"
    device = "Keysight Infiniium (DSA-S, DSA-V, DSA-Z or MXR)"
    manual = "Keysight, Infiniium Oscilloscopes Programmer's Guide (ACQuire to WAVeform)"
    identity = ("DSAV", "DSOV", "DSAS", "DSOS", "DSAZ", "DSOZ", "MXR")
    error_query = ":SYST:ERR?"

    def prepare(self) -> None:
        """Clear old errors; answers without headers, real time, no averaging, words of 16 bits."""
        super().prepare()
        self.command(
            ":SYST:HEAD OFF",
            ":ACQ:MODE RTIM",
            ":ACQ:AVER OFF",
            ":WAV:FORM WORD",
            ":WAV:BYT LSBF",
            ":WAV:STR OFF",
        )

    def make_safe(self) -> None:
        """Stop recording."""
        self.command(":STOP")

    def acquire(
        self,
        scales_v: Mapping[int, float],
        *,
        duration_s: float,
        sample_rate_hz: float,
        trigger: int,
    ) -> dict[int, Trace]:
        """Record some channels once; see `Oscilloscope.acquire`."""
        rate = _SAMPLE_RATE_HZ.check("a sample rate", sample_rate_hz)
        points = round(_SAMPLES.check("a record", duration_s * rate))
        settings = []
        for channel, scale in scales_v.items():
            _CHANNELS.check("a channel number", channel)
            _SCALE_V.check("a full scale", scale)
            settings += [
                f":CHAN{channel}:DISP ON",
                f":CHAN{channel}:SCAL {number(2 * scale / _DIVISIONS)}",
                f":CHAN{channel}:OFFS 0",
            ]
        _CHANNELS.check("a channel number", trigger)
        self.command(
            *settings,
            f":ACQ:SRAT:ANAL {number(rate)}",
            f":ACQ:POIN:ANAL {points}",
            f":TIM:RANG {number(points / rate)}",
            ":TIM:REF LEFT",
            ":TRIG:MODE EDGE",
            f":TRIG:EDGE:SOUR CHAN{trigger}",
            ":TRIG:EDGE:SLOP POS",
            f":TRIG:LEV CHAN{trigger},0",
        )
        names = ",".join(f"CHAN{channel}" for channel in scales_v)
        self.command(f":DIG {names}", timeout_s=_ACQUISITION_S)
        return {channel: self._trace(channel) for channel in scales_v}

    def _trace(self, channel: int) -> Trace:
        self.command(f":WAV:SOUR CHAN{channel}")
        step, start = self.read_number(":WAV:XINC?"), self.read_number(":WAV:XOR?")
        scale, offset = self.read_number(":WAV:YINC?"), self.read_number(":WAV:YOR?")
        content = self.link.query_block(":WAV:DATA?")
        if not content or len(content) % 2:
            raise InstrumentError(
                f"{self.model} at {self.link.name} gave {len(content)} bytes for channel {channel}"
            )
        samples = np.frombuffer(content, "<i2").astype(np.float64)
        return Trace(start, step, samples * scale + offset)
