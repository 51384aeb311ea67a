"""Changes where a transmitter's random bits come from, and how they are tested."""

from collections.abc import Iterable
from dataclasses import asdict

from keybeam.protocol.modes import InjectedFault, RandomOrigin
from keybeam.randomness import LANES, Cutoffs
from keybeam.transmitter.errors import TransmitterError
from keybeam.transmitter.status import ALARMS, SOURCES, Readable

__all__ = [
    "clear_alarms",
    "inject_fault",
    "restart_source",
    "set_cutoffs",
    "set_origin",
    "test_source",
]


def _known(source: str) -> str:
    if source not in SOURCES:
        raise TransmitterError(f"there is no source {source}: {', '.join(SOURCES)}")
    return source


def set_origin(board: Readable, origin: RandomOrigin) -> None:
    """Choose where random bits come from; all bits on their way are thrown away."""
    board.write("random.origin.origin", origin)


def restart_source(board: Readable, source: str) -> None:
    """Start a source anew, also from a hard stop; it is released after two clean windows.

    Parameters
    ----------
    board : Readable
        The board.
    source : str
        ``a``, ``b`` or ``ring``.
    """
    board.write(f"random.control.restart_{_known(source)}", 1)


def test_source(board: Readable, source: str) -> None:
    """Test a source on demand: as `restart_source`, but a hard stop stays."""
    board.write(f"random.control.test_{_known(source)}", 1)


def clear_alarms(board: Readable, source: str) -> None:
    """Clear the sticky alarms of a source; a hard stop stays."""
    for alarm in ALARMS:
        name = f"random.alarms_{_known(source)}.{alarm}"
        if raised := board.read(name):
            board.write(name, raised)


def inject_fault(
    board: Readable, source: str, fault: InjectedFault, lanes: Iterable[int] = range(LANES)
) -> None:
    """Put a fault into the raw bits of a source; none of its bits is fit for key meanwhile.

    Parameters
    ----------
    board : Readable
        The board.
    source : str
        ``a``, ``b`` or ``ring``.
    fault : InjectedFault
        What to do to the bits; NONE ends it.
    lanes : iterable of int
        Lanes that have the fault, 0 to 3.

    Raises
    ------
    TransmitterError
        If there is no such lane.
    """
    mask = 0
    for lane in lanes:
        if not 0 <= lane < LANES:
            raise TransmitterError(f"a chip has lanes 0 to {LANES - 1}, not {lane}")
        mask |= 1 << lane
    board.write(f"random.injection_{_known(source)}.lanes", mask)
    board.write(f"random.injection_{source}.fault", fault)


def set_cutoffs(board: Readable, source: str, cutoffs: Cutoffs) -> None:
    """Load the cut-offs of a source's health tests.

    Parameters
    ----------
    board : Readable
        The board.
    source : str
        ``a``, ``b`` or ``ring``.
    cutoffs : Cutoffs
        As `keybeam.randomness.cutoffs` gives them.
    """
    for name, value in asdict(cutoffs).items():
        board.write(f"random.cutoffs_{_known(source)}.{name}", value)
