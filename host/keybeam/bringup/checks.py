"""What a check says, and bounds of what was counted."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from keybeam.errors import KeybeamError

__all__ = [
    "CONFIDENCE",
    "BringUpError",
    "Check",
    "Data",
    "check",
    "poisson_bounds",
    "proportion_bounds",
]

CONFIDENCE = 0.95
"""Confidence of each one-sided bound."""

Data = dict[str, NDArray[Any]]
"""What a step measured, by name: arrays, as they are kept in a file."""


class BringUpError(KeybeamError):
    """The bring-up cannot be run, or a recorded one not be read."""


class Check(msgspec.Struct, frozen=True):
    """One line of the result.

    Attributes
    ----------
    name : str
        What was checked.
    passed : bool
        Whether it is within its limit.
    measured, limit : str
        What was found, and what is asked for.
    hint : str
        What to look at next; empty where it passed.
    """

    name: str
    passed: bool
    measured: str
    limit: str
    hint: str = ""


def check(name: str, passed: bool, measured: str, limit: str, hint: str) -> Check:
    """Make a check, with the hint only where it did not pass."""
    return Check(name, bool(passed), measured, limit, "" if passed else hint)


def proportion_bounds(count: int, total: int) -> tuple[float, float]:
    """Bounds of a probability, each one-sided with `CONFIDENCE`.

    Parameters
    ----------
    count : int
        How often it happened.
    total : int
        How often it could have.

    Returns
    -------
    lower, upper : float
        Clopper and Pearson, Biometrika 26, 404 (1934); 0 and 1 where nothing is known.
    """
    lower = stats.beta.ppf(1 - CONFIDENCE, count, total - count + 1) if count else 0.0
    upper = stats.beta.ppf(CONFIDENCE, count + 1, total - count) if count < total else 1.0
    return float(lower), float(upper)


def poisson_bounds(count: int) -> tuple[float, float]:
    """Bounds of the mean of a Poissonian count, each one-sided with `CONFIDENCE`.

    Returns
    -------
    lower, upper : float
        Garwood, Biometrika 28, 437 (1936).
    """
    lower = stats.chi2.ppf(1 - CONFIDENCE, 2 * count) / 2 if count else 0.0
    return float(lower), float(stats.chi2.ppf(CONFIDENCE, 2 * count + 2) / 2)


def number(data: Data, name: str) -> float:
    """Take a single number out of data."""
    return float(np.asarray(data[name]).item())
