"""Files of a transmitter's calibration: what a laboratory found, section by section.

Each routine of `keybeam.instruments` writes the section of what it measured and
leaves the others. The transmitter loads what its registers can hold; the rest
is for the equipment around it and for the security analysis.
"""

import math
from pathlib import Path
from typing import Annotated

import msgspec

from keybeam.format_files import load_file, save_file
from keybeam.protocol.lanes import FINE_DELAY_STEPS, LANE_DELAY_BITS, LANES
from keybeam.transmitter.errors import TransmitterError

__all__ = [
    "IntensityCalibration",
    "LaneDelay",
    "LaserCalibration",
    "ModulatorCalibration",
    "PolarisationCalibration",
    "PulseCalibration",
    "Quantity",
    "TransmitterCalibration",
    "load_calibration",
    "new_calibration",
    "save_calibration",
]

_FORMAT = "keybeam transmitter calibration 1"

LaneNumber = Annotated[str, msgspec.Meta(pattern=f"^[0-{LANES - 1}]$")]


class Quantity(msgspec.Struct, frozen=True):
    """A value and its standard uncertainty, in the unit that the field's name tells."""

    value: float
    uncertainty: Annotated[float, msgspec.Meta(ge=0)]


class LaserCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """Working point of the gain-switched laser.

    Attributes
    ----------
    temperature_c, bias_a, trigger_level_v : float
        Temperature, constant current, and control voltage of the pulse driver.
    threshold_a : Quantity
        Threshold current.
    pulse_width_s, jitter_s : float
        FWHM and RMS jitter at the working point.
    """

    temperature_c: float
    bias_a: float
    trigger_level_v: float
    threshold_a: Quantity
    pulse_width_s: float
    jitter_s: float


class ModulatorCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """The intensity modulator.

    Attributes
    ----------
    null_bias_v : float
        Bias at which a drive of 0 V gives least light.
    drive_half_wave_v, bias_half_wave_v : Quantity
        Half-wave voltages of the two electrodes.
    extinction_db : Quantity
        Most over least light.
    levels_v : dict of str to float
        Drive for ``signal``, ``decoy`` and ``vacuum``.
    """

    null_bias_v: float
    drive_half_wave_v: Quantity
    bias_half_wave_v: Quantity
    extinction_db: Quantity
    levels_v: dict[str, float]


class PolarisationCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """The polarisation modulator, and the plates that undo the fibre.

    Attributes
    ----------
    half_wave_v : Quantity
        Half-wave voltage.
    levels_v : dict of str to float
        Drive for ``H``, ``V``, ``D`` and ``A``.
    plates_deg : dict of str to float
        Angles of the fast axes of ``quarter-wave-1``, ``quarter-wave-2`` and ``half-wave``.
    contrast_db : dict of str to Quantity
        Light that passes for a state over that which passes for the orthogonal one; empty until
        it was measured.
    """

    half_wave_v: Quantity
    levels_v: dict[str, float]
    plates_deg: dict[str, float]
    contrast_db: dict[str, Quantity] = {}


class IntensityCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """Mean photon numbers.

    Attributes
    ----------
    attenuation_db : float
        Setting of the attenuator.
    pulse_rate_hz, wavelength_nm : Quantity
        What power was turned into photons with.
    mean_photons : dict of str to Quantity
        Of a ``signal``, ``decoy`` and ``vacuum`` pulse.
    """

    attenuation_db: float
    pulse_rate_hz: Quantity
    wavelength_nm: Quantity
    mean_photons: dict[str, Quantity]


class LaneDelay(msgspec.Struct, frozen=True):
    """Delays of a lane: whole slots, and steps of the I/O cell."""

    delay: Annotated[int, msgspec.Meta(ge=0, lt=1 << LANE_DELAY_BITS)]
    fine_delay: Annotated[int, msgspec.Meta(ge=0, lt=FINE_DELAY_STEPS)]


class PulseCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """The light pulse in its slot.

    Attributes
    ----------
    width_s, jitter_s : Quantity
        FWHM and RMS jitter.
    lanes : dict of str to LaneDelay
        Delays by lane that bring the pulse into the middle of the slot.
    """

    width_s: Quantity
    jitter_s: Quantity
    lanes: dict[LaneNumber, LaneDelay]


class TransmitterCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a transmitter; a section is None until it was measured.

    Attributes
    ----------
    format : str
        What this is, and in which version.
    station : str
        Name of the station that measured last.
    measured : dict of str to str
        When each section was measured, in UTC by ISO 8601.
    """

    format: str = _FORMAT
    station: str
    measured: dict[str, str] = {}
    laser: LaserCalibration | None = None
    modulator: ModulatorCalibration | None = None
    polarisation: PolarisationCalibration | None = None
    intensity: IntensityCalibration | None = None
    pulse: PulseCalibration | None = None


def new_calibration(station: str) -> TransmitterCalibration:
    """Make a calibration without any section."""
    return TransmitterCalibration(station=station)


def save_calibration(path: Path, calibration: TransmitterCalibration) -> None:
    """Write a calibration; what stood there is replaced once all of it is written.

    Parameters
    ----------
    path : Path
        The file (JSON).
    calibration : TransmitterCalibration
        What to write.
    """
    save_file(path, calibration)


def load_calibration(path: Path) -> TransmitterCalibration:
    """Read a calibration and check it.

    Raises
    ------
    TransmitterError
        If it is no such file.
    """
    found = load_file(
        path,
        TransmitterCalibration,
        form=_FORMAT,
        what="calibration of a transmitter",
        error=TransmitterError,
    )
    if found.intensity is not None:
        for name, photons in found.intensity.mean_photons.items():
            if not (math.isfinite(photons.value) and photons.value >= 0):
                raise TransmitterError(f"{path}: {photons.value} photons of {name} pulses")
    return found
