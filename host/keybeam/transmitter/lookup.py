"""What a transmitter sent at given pulse indices, for people."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.link import LookupStatus
from keybeam.protocol.symbols import Basis, Intensity, Polarisation, basis_of, intensity_of

__all__ = ["Pulse", "look_up"]


class Log(Protocol):
    """A board with a state log."""

    def lookup(self, indices: NDArray[np.uint64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Status and symbol of pulses."""


@dataclass(frozen=True)
class Pulse:
    """A line of the answer."""

    index: int
    """Pulse index."""
    status: str
    """`LookupStatus` in words."""
    intensity: str | None
    """Intensity, in words; None where no symbol was found."""
    basis: str | None
    """Basis; None where no symbol was found."""
    polarisation: str | None
    """Polarisation; None also where it could become a bit of a key, which is not shown."""


def look_up(board: Log, indices: NDArray[np.uint64]) -> list[Pulse]:
    """Look pulses up.

    The polarisation of a pulse that could become key is its key bit, so it is left out.

    Parameters
    ----------
    board : Log
        The board.
    indices : ndarray of uint64, shape (n,)
        Pulse indices.
    """
    statuses, symbols = board.lookup(indices)
    return [
        _pulse(int(index), LookupStatus(status), symbol)
        for index, status, symbol in zip(indices, statuses, symbols, strict=True)
    ]


def _pulse(index: int, status: LookupStatus, symbol: np.uint8) -> Pulse:
    word = status.name.lower().replace("_", " ")
    if status not in (LookupStatus.FOUND, LookupStatus.NOT_KEY):
        return Pulse(index, word, None, None, None)
    one = np.array([symbol])
    intensity = Intensity(intensity_of(one)[0])
    if intensity == Intensity.INVALID:
        return Pulse(index, word, "invalid", None, None)
    basis = Basis(basis_of(one)[0]).name.lower()
    shown = Polarisation(int(symbol) & 3).name if status == LookupStatus.NOT_KEY else None
    return Pulse(index, word, intensity.name.lower(), basis, shown)
