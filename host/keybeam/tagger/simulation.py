"""The whole chain of the time-tagger, shot by shot: what it resolves, and how evenly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam.protocol.tagger import table_entries

from .calibration import BinTable, calibrate
from .line_model import LINE_TIMINGS, Noise, TaggerModel
from .linearity import Linearity, linearity

__all__ = ["SimulatedTagger", "count_codes", "measure", "simulate"]

RESIDUAL_PARTS = 32
"""Parts of the period in which the errors that remain are averaged: 200 ps each, several bins."""


@dataclass(frozen=True)
class SimulatedTagger:
    """What one channel of one simulated part reaches."""

    grade: str
    """Speed grade by whose timing data the line was made."""
    chains: int
    """Delay lines of the channel."""
    table: BinTable
    """Its calibration."""
    linearity: Linearity
    """Non-linearity of its codes."""
    errors_ps: NDArray[np.float64]
    """Error of each shot: time given less true time, but for their mean."""
    lost: int
    """Shots that gave no edge."""
    residual_inl_ps: NDArray[np.float64]
    """Mean error in each part of the period, after calibration."""

    @property
    def rms_ps(self) -> float:
        """Standard deviation of a single time, in picoseconds."""
        return float(self.errors_ps.std())


def count_codes(model: TaggerModel, counts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Make the code-density histogram of a channel.

    Parameters
    ----------
    model : TaggerModel
        The channel.
    counts : int
        Edges at random times.
    rng : Generator
        Draws times and noise.

    Returns
    -------
    ndarray of int64
        Counts of every code that the gateware can give.
    """
    edges = model.edges(rng.uniform(0, FABRIC_PERIOD_PS, counts), rng)
    length = table_entries(model.chains, model.taps)
    return np.bincount(edges.codes[edges.codes >= 0], minlength=length)


def measure(
    model: TaggerModel, table: BinTable, shots: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Time edges of which the true time is known.

    Parameters
    ----------
    model : TaggerModel
        The channel.
    table : BinTable
        Its calibration.
    shots : int
        Edges at random times.
    rng : Generator
        Draws times and noise.

    Returns
    -------
    errors : ndarray of float
        Time given less true time of every edge that was found, in picoseconds. Their mean is not
        zero: code densities do not say where a line begins.
    ages : ndarray of float
        True time from each of these edges to the next clock edge.
    lost : int
        Edges that were not found.
    """
    ages = rng.uniform(0, FABRIC_PERIOD_PS, shots)
    edges = model.edges(ages, rng)
    found = edges.codes >= 0
    times = table.times_ps(edges.codes[found], edges.cycles[found])
    return times + ages[found], ages[found], int((~found).sum())


def simulate(
    grade: str,
    *,
    chains: int,
    noise: Noise,
    counts: int,
    shots: int,
    seed: int,
) -> SimulatedTagger:
    """Simulate one channel: line, flip-flops, clock, encoder, calibration.

    Parameters
    ----------
    grade : str
        Speed grade, one of `LINE_TIMINGS`.
    chains : int
        Delay lines, 1 or 2.
    noise : Noise
        What the timing data do not say.
    counts : int
        Edges of the calibration.
    shots : int
        Edges that are timed with it.
    seed : int
        Draws the part and all noise.

    Returns
    -------
    SimulatedTagger
        The same for the same arguments.

    Raises
    ------
    CalibrationError
        If there are too few counts, or the line is shorter than a period.
    """
    rng = np.random.default_rng(seed)
    model = TaggerModel(LINE_TIMINGS[grade], chains=chains, noise=noise, rng=rng)
    table = calibrate(count_codes(model, counts, rng), chains=chains, taps=model.taps)
    errors, ages, lost = measure(model, table, shots, rng)
    errors = errors - errors.mean()
    part = (ages * (RESIDUAL_PARTS / FABRIC_PERIOD_PS)).astype(int)
    sums = np.bincount(part, errors, RESIDUAL_PARTS)
    residual = sums / np.maximum(np.bincount(part, minlength=RESIDUAL_PARTS), 1)
    return SimulatedTagger(grade, chains, table, linearity(table), errors, lost, residual)
