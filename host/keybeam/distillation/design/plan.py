"""Which codes there are: sizes and column degrees.

Every code has block columns of three degrees. Those of degree two are fewer than
the block rows and form one path, so that they close no cycle; most of the others
have degree three; the rest have one high degree, which starts the decoding.

Degrees 6 to 15 and means 3.8 to 6.4 were tried with the decoder itself on a few
frames of 100 000 bits at syndromes of 2 880, 9 600, 20 000 and 50 000 bits. The
means below lie near the best of each, interpolated between and extended beyond;
it was a coarse search, and better ones may be found. High degree 9, for the
shortest syndromes, was not among those tried: 10 did slightly better at 2 880.
A Gaussian approximation of density evolution was of no use: at 1 % it predicted
thresholds a tenth too good, since with one error in a hundred bits the messages
of a check are far from Gaussian. Density evolution without it
(`density_evolution`, `thresholds`) agrees with the finite codes within 2 %, and
says that these degrees are close to the best of their kind: a linear programme
over the degrees 2 to 24 gained 2 % at a syndrome of 9 350 bits, by more columns
of degree two than rows, of which a code of 100 000 bits kept 0.7 % with 400
passes and nothing with 100.
"""

from dataclasses import dataclass

import numpy as np

from keybeam.protocol.numbers import PACKET_BITS

__all__ = ["CodePlan", "code_plans"]

_MEAN_DEGREE_AT = {2_400: 6.2, 9_600: 5.8, 20_000: 5.2, 50_000: 4.1, 64_000: 3.7}
"""Mean degree of a variable, by the length of the syndrome."""

_DEGREE_TWO_PART = 0.9
"""Block columns of degree two for each block row, less one."""

_STEP = 1.06
_FINE_STEP = 1.02
"""Ratios of the syndrome lengths of neighbouring codes, where the circulant allows it."""

_FINE_RANGE = (5_000, 36_000)
"""Syndrome lengths with fine steps: those of error rates from 0.5 % to 6 %."""

_SHORTEST, _LONGEST = 2_880, 63_000


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


def _plan(block_rows: int, circulant: int) -> CodePlan:
    columns = PACKET_BITS // circulant
    syndrome_bits = block_rows * circulant
    lengths = np.log(list(_MEAN_DEGREE_AT))
    mean = float(np.interp(np.log(syndrome_bits), lengths, list(_MEAN_DEGREE_AT.values())))
    # In few block rows, columns of degree 12 leave no place without cycles of length four.
    high = 9 if syndrome_bits < 3_600 else 10 if syndrome_bits < 5_000 else 12
    two = int(_DEGREE_TWO_PART * (block_rows - 1))
    wide = round((mean * columns - 2 * two - 3 * (columns - two)) / (high - 3))
    degrees = (2,) * two + (3,) * (columns - two - wide) + (high,) * wide
    return CodePlan(circulant=circulant, block_rows=block_rows, degrees=degrees)


def code_plans() -> list[CodePlan]:
    """All codes, from the shortest syndrome to the longest."""
    plans = []
    length = float(_SHORTEST)
    while length <= _LONGEST:
        # Short syndromes are made of small circulants, for fine steps.
        circulant = 160 if length < 20_000 else 400
        plan = _plan(round(length / circulant), circulant)
        plans.append(plan)
        step = _FINE_STEP if _FINE_RANGE[0] < length < _FINE_RANGE[1] else _STEP
        length = max(length * step, plan.syndrome_bits + circulant)
    return plans
