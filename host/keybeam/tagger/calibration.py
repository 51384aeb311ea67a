"""Time of every code, from how often each occurs when edges come at random.

Edges that are independent of the clock are spread evenly over its period, so that the
part of them that gives a code is the part of the period that the code stands for: the code-density
test (J. Doernberg, H.-S. Lee and D. A. Hodges, "Full-speed testing of A/D converters", IEEE J.
Solid-State Circuits 19 (1984) 820). The gateware shows every edge once, whatever the length of its
lines, so all codes together stand for exactly one period.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam.protocol.records import FINE_PS
from keybeam.protocol.tagger import DELAY_LINE_TAPS, LEAD_BITS, LEAD_CYCLES, TAPS_PER_BLOCK

from .errors import CalibrationError

__all__ = ["FEWEST_COUNTS_PER_CODE", "BinTable", "calibrate"]

FEWEST_COUNTS_PER_CODE = 100
"""Mean counts of a code in use below which a calibration is refused: it would be uncertain by more
than a tenth of a code's width."""

_UNSEEN_TAPS = 12
"""Taps at the early end of a line where the encoder sees no edge."""


@dataclass(frozen=True)
class BinTable:
    """Time of each code, as seen back from the clock edge that took the picture."""

    counts: NDArray[np.int64]
    """Counts that it was made from."""
    ages_ps: NDArray[np.float64]
    """Time from the middle of each code's bin to that clock edge, but for a constant, in ps."""

    @property
    def widths_ps(self) -> NDArray[np.float64]:
        """Width of the bin of each code, in picoseconds."""
        return np.asarray(self.counts * (FABRIC_PERIOD_PS / self.counts.sum()))

    @property
    def uncertainties_ps(self) -> NDArray[np.float64]:
        """Standard deviation of each entry of `ages_ps` that comes from the finite counts.

        That of a cumulative part p of n counts is sqrt(p (1 - p) / n).
        """
        part = self.ages_ps.clip(0, FABRIC_PERIOD_PS) / FABRIC_PERIOD_PS
        return np.asarray(FABRIC_PERIOD_PS * np.sqrt(part * (1 - part) / self.counts.sum()))

    def times_ps(
        self, codes: NDArray[np.integer], cycles: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Give the times of edges.

        Parameters
        ----------
        codes : ndarray of int
            Code of each edge.
        cycles : ndarray of int
            Clock edge that took its picture.

        Returns
        -------
        ndarray of float
            In picoseconds, from clock edge 0 on.
        """
        return np.asarray(cycles * float(FABRIC_PERIOD_PS) - self.ages_ps[codes])

    def scaled(self, ratio: float) -> "BinTable":
        """Follow a change of all delays by a common factor, as temperature and voltage make it.

        Parameters
        ----------
        ratio : float
            Delays now by delays when the table was made: the inverse of the ratio of the
            frequencies of a ring oscillator beside the line.

        Returns
        -------
        BinTable
            With the same counts; it stands for more or less than one period.

        Raises
        ------
        CalibrationError
            If the ratio is not between 1/2 and 2.
        """
        if not 0.5 <= ratio <= 2:
            raise CalibrationError(
                f"the delays cannot have changed by a factor of {ratio:g}: calibrate again"
            )
        return BinTable(self.counts, self.ages_ps * ratio)

    def leads(self) -> NDArray[np.uint16]:
        """Give the entries as the gateware's table takes them.

        Returns
        -------
        ndarray of uint16
            Fine steps from the clock edge `LEAD_CYCLES` before that of the picture.

        Raises
        ------
        CalibrationError
            If an age lies outside what an entry can say.
        """
        leads = np.round((LEAD_CYCLES * FABRIC_PERIOD_PS - self.ages_ps) / FINE_PS)
        if leads.min() < 0 or leads.max() >= 1 << LEAD_BITS:
            raise CalibrationError("the table does not fit into two clock periods: calibrate again")
        return leads.astype(np.uint16)


def calibrate(counts: NDArray[np.integer], *, chains: int, taps: int = DELAY_LINE_TAPS) -> BinTable:
    """Make the table of a channel from its code-density histogram.

    Parameters
    ----------
    counts : ndarray of int, shape (codes,)
        How often each code came, of edges that are independent of the clock.
    chains, taps : int
        Delay lines of the channel, and taps of each.

    Returns
    -------
    BinTable
        With an entry for every code, also for those that never came.

    Raises
    ------
    CalibrationError
        If there are too few counts, or edges come up to the end of the line, so that some before
        it were lost.
    """
    whole = np.asarray(counts, np.int64)
    if whole.ndim != 1 or (whole < 0).any():
        raise CalibrationError("a histogram of codes is one row of counts of zero or more")
    used = np.flatnonzero(whole)
    if not len(used) or whole.sum() < FEWEST_COUNTS_PER_CODE * (used[-1] - used[0] + 1):
        raise CalibrationError(
            f"{whole.sum()} counts are too few for {len(used)} codes: "
            f"count for longer, {FEWEST_COUNTS_PER_CODE} a code or more"
        )
    if used[-1] >= chains * (taps - _UNSEEN_TAPS - TAPS_PER_BLOCK):
        raise CalibrationError(
            f"edges come up to code {used[-1]}, so a line of {taps} taps ends within a period: "
            "it needs more slices"
        )
    share = whole / whole.sum()
    ages = FABRIC_PERIOD_PS * (np.cumsum(share) - share / 2)
    return BinTable(whole, ages)
