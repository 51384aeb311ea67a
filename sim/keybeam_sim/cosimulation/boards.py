"""Simulated boards for host commands that can start them by themselves (an entry point)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keybeam.device import FoundPort
from keybeam.errors import KeybeamError
from keybeam_sim.cosimulation.named_faults import NAMED_FAULTS
from keybeam_sim.cosimulation.process import Cosimulation
from keybeam_sim.cosimulation.settings import (
    BoardSettings,
    LeadSettings,
    LinkSettings,
    RunSettings,
)

__all__ = ["start_boards"]

_LOSS_DB = 20.0
_CLOCK_OFFSET_PPM = 20.0
_DARK_HZ = 100.0
_JITTER_FWHM_PS = 350.0
_AFTERPULSING = 0.01


@contextmanager
def start_boards(
    faults: tuple[str, ...], report_progress: Callable[[str], None]
) -> Iterator[list[FoundPort]]:
    """Run a transmitter and a receiver with detectors and loop-back leads, as on a bench.

    Parameters
    ----------
    faults : tuple of str
        Names of faults to put in, of `NAMED_FAULTS`.
    report_progress : callable
        Told in a few words what is going on.

    Yields
    ------
    list of FoundPort
        The ports of both boards.

    Raises
    ------
    KeybeamError
        If there is no fault of a name.
    CosimulationError
        If the simulation cannot be built or started.
    """
    settings = RunSettings(
        link=LinkSettings(
            loss_db=_LOSS_DB,
            clock_offset_ppm=_CLOCK_OFFSET_PPM,
            background_hz=_DARK_HZ,
            jitter_fwhm_ps=_JITTER_FWHM_PS,
            afterpulse_probability=_AFTERPULSING,
            leads=LeadSettings(),
        ),
        boards=BoardSettings(),
    )
    for name in faults:
        if name not in NAMED_FAULTS:
            raise KeybeamError(f"there is no fault {name}: {', '.join(NAMED_FAULTS)}")
        settings = NAMED_FAULTS[name].add_to(settings)
    with Cosimulation(settings, report_progress) as simulation:
        yield simulation.ports
