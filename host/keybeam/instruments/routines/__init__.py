"""Routines that measure a transmitter, each with the instruments that it needs."""

from collections.abc import Callable
from typing import NamedTuple

from keybeam.instruments.routines import (
    analyser,
    compensation,
    contrast,
    laser,
    modulator,
    photon_numbers,
    pulse,
    spectrum,
)
from keybeam.instruments.routines.outcome import Files, Goal, Outcome, save_outcome
from keybeam.instruments.routines.rig import Rig

__all__ = ["ROUTINES", "Files", "Goal", "Outcome", "Rig", "Routine", "save_outcome"]


class Routine(NamedTuple):
    """A routine.

    Attributes
    ----------
    measure : callable
        Measures with a rig.
    needed, useful : tuple of str
        Instruments that it must have, and uses if they are there.
    title : str
        What it does.
    """

    measure: Callable[[Rig], Outcome]
    needed: tuple[str, ...]
    useful: tuple[str, ...]
    title: str


ROUTINES: dict[str, Routine] = {
    "laser": Routine(
        laser.measure_laser,
        laser.NEEDED,
        (),
        "threshold, gain-switching scan, working point of the laser",
    ),
    "spectrum": Routine(
        spectrum.measure_spectrum, spectrum.NEEDED, (), "wavelength and width of the laser's line"
    ),
    "pulse": Routine(
        pulse.measure_pulse,
        pulse.NEEDED,
        (),
        "shape and jitter of pulses, delay of the laser's lane",
    ),
    "modulator": Routine(
        modulator.measure_modulator,
        modulator.NEEDED,
        (),
        "half-wave voltage and extinction ratio of the intensity modulator",
    ),
    "photon-numbers": Routine(
        photon_numbers.measure_photon_numbers,
        photon_numbers.NEEDED,
        photon_numbers.USEFUL,
        "mean photon numbers with an error budget",
    ),
    "compensation": Routine(
        compensation.measure_compensation,
        analyser.NEEDED,
        (),
        "the fibre's rotation, and the wave plates' angles that undo it",
    ),
    "polarisation": Routine(
        contrast.measure_contrast,
        analyser.NEEDED,
        (),
        "contrast of the four polarisations",
    ),
}
"""All routines, in the order in which they build on one another."""
