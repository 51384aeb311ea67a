"""Error budgets after the Guide to the Expression of Uncertainty in Measurement.

References are to JCGM 100:2008 ("GUM").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from keybeam.instruments.errors import MeasurementError

__all__ = [
    "METER_LINEARITY",
    "Budget",
    "Contribution",
    "expanded",
    "from_readings",
    "half_width",
    "ratio_db",
]

_COVERAGE = 0.9545

METER_LINEARITY = 0.005
"""Linearity of a photodiode sensor (Thorlabs S120C and S130C data sheets: ±0.5 %)."""


@dataclass(frozen=True)
class Contribution:
    """One line of a budget.

    Attributes
    ----------
    name : str
        The input quantity.
    uncertainty : float
        Its standard uncertainty.
    sensitivity : float
        Change of the result by the change of the input (GUM, section 5.1.3).
    unit : str
        Of the input.
    evaluation : str
        ``A``, by statistics of readings, or ``B``, by other knowledge (GUM, section 4).
    source : str
        Where the uncertainty comes from.
    degrees_of_freedom : float
        Of a type A evaluation; infinite of a data sheet's.
    """

    name: str
    uncertainty: float
    sensitivity: float
    unit: str
    evaluation: str
    source: str
    degrees_of_freedom: float = math.inf

    @property
    def part(self) -> float:
        """Its part of the result's uncertainty, in the result's unit."""
        return abs(self.sensitivity) * self.uncertainty


@dataclass(frozen=True)
class Budget:
    """A result with its independent contributions.

    Attributes
    ----------
    value : float
        The result.
    contributions : list of Contribution
        What makes it uncertain.
    """

    value: float
    contributions: list[Contribution] = field(default_factory=list)

    @property
    def uncertainty(self) -> float:
        """Combined standard uncertainty (GUM, equation 11a)."""
        return math.hypot(*(each.part for each in self.contributions))

    @property
    def degrees_of_freedom(self) -> float:
        """Effective degrees of freedom, by the Welch-Satterthwaite formula (GUM, G.2b)."""
        total = sum(each.part**4 / each.degrees_of_freedom for each in self.contributions)
        return math.inf if total == 0 else self.uncertainty**4 / total

    @property
    def coverage_factor(self) -> float:
        """Factor for an interval of 95.45 % (GUM, G.3.2 and table G.2)."""
        freedom = min(self.degrees_of_freedom, 1e9)
        return float(stats.t.ppf(0.5 + _COVERAGE / 2, freedom))

    @property
    def expanded_uncertainty(self) -> float:
        """Half of the interval of 95.45 %."""
        return self.coverage_factor * self.uncertainty


def from_readings(readings: Sequence[float]) -> tuple[float, float, int]:
    """Give the mean of readings, its standard uncertainty and degrees of freedom (GUM, 4.2).

    Raises
    ------
    MeasurementError
        If there are fewer than two.
    """
    if len(readings) < 2:
        raise MeasurementError("one reading alone says nothing of its scatter: take two or more")
    values = np.asarray(readings, dtype=float)
    deviation = float(values.std(ddof=1)) / math.sqrt(values.size)
    return float(values.mean()), deviation, values.size - 1


def ratio_db(
    more: tuple[float, float], less: tuple[float, float], linearity: float = METER_LINEARITY
) -> tuple[float, float]:
    """Give the ratio of two powers that one meter read, in dB, and its standard uncertainty.

    The meter's calibration cancels; its scale may bend by `linearity` from one power to the
    other.

    Parameters
    ----------
    more, less : tuple of float
        Power and its standard uncertainty by scatter; both powers positive.
    linearity : float
        Half of the interval of the scale's error, as a part of the reading.
    """
    decibels = 10 / math.log(10)
    relative = math.hypot(more[1] / more[0], less[1] / less[0], half_width(linearity))
    return decibels * math.log(more[0] / less[0]), decibels * relative


def half_width(limit: float) -> float:
    """Give the standard uncertainty of what lies anywhere within ±limit (GUM, section 4.3.7)."""
    return limit / math.sqrt(3)


def expanded(uncertainty: float, factor: float = 2.0) -> float:
    """Give the standard uncertainty of a stated expanded one (GUM, section 4.3.3)."""
    return uncertainty / factor
