"""What the instruments of a station are for: the names of its entries."""

from keybeam.instruments.instrument import Kind

__all__ = ["PLATES", "ROLES"]

ROLES: dict[str, Kind] = {
    "laser": Kind.LASER_CONTROLLER,
    "trigger-level": Kind.WAVEFORM_GENERATOR,
    "modulator-bias": Kind.BIAS_SOURCE,
    "intensity-drive": Kind.WAVEFORM_GENERATOR,
    "polarisation-drive": Kind.WAVEFORM_GENERATOR,
    "attenuator": Kind.ATTENUATOR,
    "power-meter": Kind.POWER_METER,
    "analyser-meter": Kind.POWER_METER,
    "quarter-wave-1": Kind.ROTATION_MOUNT,
    "quarter-wave-2": Kind.ROTATION_MOUNT,
    "half-wave": Kind.ROTATION_MOUNT,
    "analyser": Kind.ROTATION_MOUNT,
    "oscilloscope": Kind.OSCILLOSCOPE,
    "counter": Kind.FREQUENCY_COUNTER,
    "spectrum-analyser": Kind.SPECTRUM_ANALYSER,
}
"""Kind of instrument by what it is for."""

PLATES = ("quarter-wave-1", "quarter-wave-2", "half-wave")
"""Plates that undo the fibre, in the order in which light meets them."""
