"""How even the codes of a time-tagger are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS

from .calibration import BinTable

__all__ = ["Linearity", "linearity"]


@dataclass(frozen=True)
class Linearity:
    """Non-linearity of codes before calibration (IEEE Std 1241, by code density)."""

    mean_bin_ps: float
    """Period by the number of codes that occur: the least significant bit (LSB)."""
    widest_bin_ps: float
    """Width of the widest bin."""
    dnl_lsb: NDArray[np.float64]
    """Differential non-linearity of each code that can occur: width of its bin in LSB, less 1."""
    inl_lsb: NDArray[np.float64]
    """Integral non-linearity of each code that can occur: place of its bin in LSB, less the place
    it would have if all were equally wide."""
    quantisation_ps: float
    """Standard deviation that remains after calibration if there is no noise at all:
    sqrt(sum of width^3 / (12 period))."""


def linearity(table: BinTable) -> Linearity:
    """Compute the non-linearity of a calibrated channel.

    Parameters
    ----------
    table : BinTable
        Its calibration.

    Returns
    -------
    Linearity
        Codes from the first to the last that occurred.
    """
    used = np.flatnonzero(table.counts)
    widths = table.widths_ps[used[0] : used[-1] + 1]
    mean = FABRIC_PERIOD_PS / len(widths)
    deviations = widths / mean - 1
    return Linearity(
        mean_bin_ps=mean,
        widest_bin_ps=float(widths.max()),
        dnl_lsb=deviations,
        inl_lsb=np.cumsum(deviations),
        quantisation_ps=float(np.sqrt((widths**3).sum() / (12 * FABRIC_PERIOD_PS))),
    )
