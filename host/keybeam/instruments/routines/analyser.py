"""The analyser behind the wave plates, and what sends the four polarisations to it."""

from keybeam.drawing import BLUE, GREEN, GREY, ORANGE
from keybeam.instruments.kinds import PowerMeter, RotationMount, WaveformGenerator
from keybeam.instruments.roles import PLATES
from keybeam.instruments.routines.rig import SOURCE, Rig
from keybeam.instruments.stokes import STATES

__all__ = ["ANALYSER_DEG", "COLOURS", "NEEDED", "switch_on"]

NEEDED = (*SOURCE, "polarisation-drive", *PLATES, "analyser", "analyser-meter")
"""Instruments of what uses it."""

ANALYSER_DEG = {"H": 0.0, "D": 22.5, "V": 45.0, "A": 67.5}
"""Axis of the analyser's half-wave plate that turns a state to H, which the polariser passes."""

COLOURS = dict(zip(STATES, (BLUE, ORANGE, GREEN, GREY), strict=True))
"""Of the states in plots."""


def switch_on(rig: Rig) -> tuple[PowerMeter, WaveformGenerator]:
    """Switch on what sends light to the analyser, and home the mounts."""
    meter = rig.meter("analyser-meter")
    for name in (*PLATES, "analyser"):
        rig.station.get(name, RotationMount).home()
    rig.switch_on_laser()
    rig.open_path()
    drive = rig.station.get("polarisation-drive", WaveformGenerator)
    drive.set_level_v(0.0)
    drive.switch_output(True)
    rig.pass_most(meter.power_w)
    return meter, drive
