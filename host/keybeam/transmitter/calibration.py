"""Loads a calibration into a transmitter, and tells what else it says."""

from keybeam.output import Value
from keybeam.transmitter.calibration_file import Quantity, TransmitterCalibration
from keybeam.transmitter.errors import TransmitterBusyError, TransmitterError
from keybeam.transmitter.settings import set_lane
from keybeam.transmitter.status import Readable

__all__ = ["calibration_sections", "load_lane_delays"]

_USED_BY: dict[str, str] = {
    "laser": "laser and pulse driver, by each later `keybeam instruments measure`",
    "modulator": "modulator's bias and drive, by each later `keybeam instruments measure`; in "
    "service, by your equipment",
    "polarisation": "modulator's drive and wave plates, by `keybeam instruments measure "
    "polarisation`; in service, by your equipment",
    "intensity": "attenuator, by your equipment; photons, for the security analysis",
    "pulse": "lane delays to the board, by `keybeam tx calibration load`; the rest to nothing",
}
"""Where the values of each section go. What else a board holds (symbol map, lane table, idle
levels) is chosen, not measured: `keybeam tx symbol-map` and `keybeam tx lanes` set it."""


def load_lane_delays(
    board: Readable, calibration: TransmitterCalibration
) -> dict[str, dict[str, Value]]:
    """Set the lanes' delays as a calibration has them, and read them back.

    Parameters
    ----------
    board : Readable
        The board, whose pattern must not run.
    calibration : TransmitterCalibration
        What was measured.

    Returns
    -------
    dict of dict
        By lane: ``delay`` in slots and ``fine_delay`` in steps of the I/O cell.

    Raises
    ------
    TransmitterError
        If the calibration has no delays, or the board did not take them.
    TransmitterBusyError
        If the pattern runs; nothing is changed then.
    """
    if calibration.pulse is None:
        raise TransmitterError(
            "the calibration has no delays of lanes: run `keybeam instruments measure pulse` first"
        )
    if board.read("pattern.status.locked"):
        raise TransmitterBusyError("delays can only be changed while the pattern does not run")
    loaded: dict[str, dict[str, Value]] = {}
    for lane, wanted in calibration.pulse.lanes.items():
        set_lane(board, lane, delay=wanted.delay, fine_delay=wanted.fine_delay)
        found = {
            name: board.read(f"pattern.lane_{lane}.{name}") for name in ("delay", "fine_delay")
        }
        if found != {"delay": wanted.delay, "fine_delay": wanted.fine_delay}:
            raise TransmitterError(
                f"lane {lane} holds {found} after its delays were set: has this build a delay cell?"
            )
        loaded[lane] = {**found}
    return loaded


def _shown(quantity: Quantity) -> str:
    return f"{quantity.value:.6g} ± {quantity.uncertainty:.2g}"


def calibration_sections(calibration: TransmitterCalibration) -> dict[str, dict[str, Value]]:
    """Tell what a calibration says, for a table.

    Returns
    -------
    dict of dict
        By section: values by name, with what takes them and by which command. Uncertainties are
        standard uncertainties.
    """
    sections: dict[str, dict[str, Value]] = {}
    if (laser := calibration.laser) is not None:
        sections["laser"] = {
            "temperature, °C": laser.temperature_c,
            "bias, mA": 1e3 * laser.bias_a,
            "trigger level, V": laser.trigger_level_v,
            "threshold, A": _shown(laser.threshold_a),
        }
    if (modulator := calibration.modulator) is not None:
        sections["modulator"] = {
            "bias, V": modulator.null_bias_v,
            "half-wave voltage, V": _shown(modulator.drive_half_wave_v),
            "extinction, dB": _shown(modulator.extinction_db),
            **{f"level of {name}, V": level for name, level in modulator.levels_v.items()},
        }
    if (polarisation := calibration.polarisation) is not None:
        sections["polarisation"] = {
            "half-wave voltage, V": _shown(polarisation.half_wave_v),
            **{f"level of {name}, V": level for name, level in polarisation.levels_v.items()},
            **{f"{name}, °": angle for name, angle in polarisation.plates_deg.items()},
            **{f"contrast of {k}, dB": _shown(v) for k, v in polarisation.contrast_db.items()},
        }
    if (intensity := calibration.intensity) is not None:
        sections["intensity"] = {
            "attenuation, dB": intensity.attenuation_db,
            **{f"photons of {k}": _shown(v) for k, v in intensity.mean_photons.items()},
        }
    if (pulse := calibration.pulse) is not None:
        sections["pulse"] = {
            "width, s": _shown(pulse.width_s),
            "jitter, s": _shown(pulse.jitter_s),
            **{
                f"lane {lane}, slots + steps": f"{delay.delay} + {delay.fine_delay}"
                for lane, delay in pulse.lanes.items()
            },
        }
    for name, rows in sections.items():
        rows["measured"] = calibration.measured.get(name)
        rows["goes to"] = _USED_BY[name]
    return sections
