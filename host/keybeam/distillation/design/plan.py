"""Which codes there are: their sizes and the degrees of their columns."""

from dataclasses import dataclass

from keybeam.distillation.design.degrees import distribution_for
from keybeam.distillation.design.density_evolution import DegreeDistribution
from keybeam.protocol.numbers import PACKET_BITS

__all__ = ["CodePlan", "code_plans", "column_degrees"]

_STEP = 1.045
_FINE_STEP = 1.02
"""Ratios of the syndrome lengths of neighbouring codes, where the circulant allows it."""

_FINE_RANGE = (8_000, 37_000)
"""Syndrome lengths with fine steps: those of error rates from 0.9 % to 6 %."""

_EVERY_SIZE = (8_000, 10_000)
"""Syndrome lengths without steps: there the circulants themselves are coarse."""

_SERIES = ((80, 2_880, 8_000), (160, 8_000, 62_000))
"""Circulant, shortest and longest syndrome, exclusive, of the codes.

Short syndromes are made of small circulants, as wide columns need many rows.
"""


@dataclass(frozen=True)
class CodePlan:
    """Size and degrees of a code.

    Attributes
    ----------
    circulant : int
        Size of a circulant; it divides the frame.
    block_rows : int
        Block rows.
    degrees : tuple of int
        Degree of each block column, rising.
    """

    circulant: int
    block_rows: int
    degrees: tuple[int, ...]

    @property
    def syndrome_bits(self) -> int:
        """Length of the syndrome."""
        return self.circulant * self.block_rows


def column_degrees(distribution: DegreeDistribution, columns: int) -> tuple[int, ...]:
    """Degrees of the columns, rising, that are nearest to a distribution."""
    parts = {degree: part / degree for degree, part in distribution.edges.items()}
    wanted = {degree: part / sum(parts.values()) * columns for degree, part in parts.items()}
    counts = {degree: int(number) for degree, number in wanted.items()}
    missing = columns - sum(counts.values())
    for degree in sorted(wanted, key=lambda degree: counts[degree] - wanted[degree])[:missing]:
        counts[degree] += 1
    return tuple(degree for degree in sorted(counts) for _ in range(counts[degree]))


def _plan(block_rows: int, circulant: int) -> CodePlan:
    distribution = distribution_for(block_rows * circulant / PACKET_BITS)
    degrees = column_degrees(distribution, PACKET_BITS // circulant)
    return CodePlan(circulant=circulant, block_rows=block_rows, degrees=degrees)


def code_plans() -> list[CodePlan]:
    """All codes, from the shortest syndrome to the longest."""
    circulants = {}
    for circulant, shortest, longest in _SERIES:
        length = float(shortest)
        while length < longest:
            rows = round(length / circulant)
            circulants[rows * circulant] = circulant
            step = _FINE_STEP if _FINE_RANGE[0] <= length < _FINE_RANGE[1] else _STEP
            length = max(length * step, (rows + 1) * circulant)
    circulant = _SERIES[-1][0]
    circulants |= dict.fromkeys(range(*_EVERY_SIZE, circulant), circulant)
    return [
        _plan(length // circulant, circulant) for length, circulant in sorted(circulants.items())
    ]
