"""The source of the pulses, as the composable analysis assumes it."""

import itertools
import math
from dataclasses import dataclass, replace
from functools import lru_cache

from keybeam.key_length.errors import KeyLengthError
from keybeam.key_length.paper import PAPER_INTENSITIES, PAPER_PROBABILITIES

__all__ = ["LARGEST_INTENSITY", "Source"]

LARGEST_INTENSITY = 100.0
"""Far above any weak coherent pulse."""

_MOST_PHOTONS = 400
"""Photon numbers up to which intensities may have to be told apart one by one."""


@dataclass(frozen=True)
class Source:
    """Phase-randomised weak coherent pulses of two or more intensities, or a single-photon source.

    Attributes
    ----------
    intensities : tuple of float
        Mean photon numbers, the signal first, falling; two (signal and one decoy) or more, or
        that of a single-photon source alone.
    probabilities : tuple of float
        Their probabilities, which add up to 1.
    intensity_uncertainty : float
        Largest relative deviation of any pulse's intensity from the one stated, 0 to below 1.
        Within it the intensity may change from pulse to pulse in any way that depends on
        earlier pulses, not on this one's bit and basis.
    preparation_error_deg : float
        Largest angle by which the polarisations of the two bases may be away from 45° to one
        another, 0 to below 45 degrees.
    key_basis_probability : float or None
        Probability, above 0 and below 1, with which either end chooses the basis that makes
        the key; None where both bases are chosen equally and both make key.
    pair_correlation : float or None
        g²(0) of a single-photon source, at least 0; None for coherent pulses.

    Raises
    ------
    KeyLengthError
        If a quantity is out of range.
    """

    intensities: tuple[float, ...] = PAPER_INTENSITIES
    probabilities: tuple[float, ...] = PAPER_PROBABILITIES
    intensity_uncertainty: float = 0.0
    preparation_error_deg: float = 0.0
    key_basis_probability: float | None = None
    pair_correlation: float | None = None

    def __post_init__(self) -> None:
        self._check_intensities()
        if not 0 <= self.intensity_uncertainty < 1:
            raise KeyLengthError(
                "the intensity_uncertainty must be at least 0 and below 1, "
                f"not {self.intensity_uncertainty}"
            )
        if not 0 <= self.preparation_error_deg < 45:
            raise KeyLengthError(
                "the preparation_error_deg must be at least 0 and below 45, "
                f"not {self.preparation_error_deg}"
            )
        if self.key_basis_probability is not None and not 0 < self.key_basis_probability < 1:
            raise KeyLengthError(
                "the key_basis_probability must lie between 0 and 1, "
                f"not {self.key_basis_probability}"
            )

    def _check_intensities(self) -> None:
        falling = all(a > b for a, b in itertools.pairwise(self.intensities))
        least = 1 if self.pair_correlation is not None else 2
        if (
            len(self.intensities) < least
            or not falling
            or not (self.intensities[-1] >= 0 and 0 < self.intensities[0] <= LARGEST_INTENSITY)
        ):
            raise KeyLengthError(
                f"the intensities must be two or more, falling from at most "
                f"{LARGEST_INTENSITY:g} to at least 0, not {self.intensities}"
            )
        if (
            len(self.probabilities) != len(self.intensities)
            or not all(0 < p <= 1 for p in self.probabilities)
            or abs(math.fsum(self.probabilities) - 1) > 1e-9
        ):
            raise KeyLengthError(
                "the probabilities must be positive, one for each intensity, and add up to 1, "
                f"not {self.probabilities}"
            )
        if self.pair_correlation is not None and (
            len(self.intensities) > 1 or not 0 <= self.pair_correlation < math.inf
        ):
            raise KeyLengthError(
                "a pair_correlation must be a number of at least 0, of a source of one intensity, "
                f"not {self.pair_correlation} of one of {len(self.intensities)}"
            )

    @property
    def statistics(self) -> "Source":
        """The source as far as the factors of the supermartingales depend on it."""
        if self.pair_correlation is None:
            return replace(self, preparation_error_deg=0.0)
        # With no other intensity to tell it from, this one's photon numbers tell nothing.
        chosen = self.key_basis_probability
        return Source((1.0,), (1.0,), key_basis_probability=chosen, pair_correlation=0.0)

    @property
    def preparation_quality(self) -> float:
        """Bits of uncertainty of a single photon, -log2 of the largest overlap of the bases.

        The overlap of polarisations 45° - δ apart is cos²(45° - δ) = (1 + sin 2δ)/2. It is 1 bit
        without error (M. Tomamichel et al., Nat. Commun. 3 (2012) 634).
        """
        angle = math.radians(self.preparation_error_deg)
        return 1 - math.log2(1 + math.sin(2 * angle))

    def intensity_weights(self, photons: int) -> tuple[tuple[float, ...], ...]:
        """Give the odds of each intensity in a pulse of so many photons, as probabilities.

        By Bayes they are proportional to p e^-x x^n. With uncertain intensities there are
        several: the corners of the box in which all possible ones lie.

        Parameters
        ----------
        photons : int
            Photon number n, at least 0.
        """
        return _intensity_weights(self, photons)

    def extremes(self, intensity: float, probability: float, photons: int) -> tuple[float, float]:
        """Give least and largest p (x/μ)^n e^(μ - x) over the uncertainty of x."""
        signal = self.intensities[0]
        low = intensity * (1 - self.intensity_uncertainty)
        high = intensity * (1 + self.intensity_uncertainty)

        def weight(x: float) -> float:
            return probability * (x / signal) ** photons * math.exp(signal - x)

        # It rises up to x = n and falls beyond.
        peak = min(max(float(photons), low), high)
        return min(weight(low), weight(high)), weight(peak)

    def tail(self, precision: float) -> tuple[int, float]:
        """Photon number from which on a pulse is a signal pulse, but for at most `precision`.

        Returns
        -------
        photons : int
            The least photon number n.
        odds : float
            Largest odds of another intensity against the signal at n, which fall beyond it.

        Raises
        ------
        KeyLengthError
            If two intensities are so close, or so uncertain, that there is none up to 400.
        """
        low = self.intensities[0] * (1 - self.intensity_uncertainty)
        high = self.intensities[0] * (1 + self.intensity_uncertainty)
        rest = [k * (1 + self.intensity_uncertainty) for k in self.intensities[1:]]
        scale = [p / self.probabilities[0] * math.exp(high) for p in self.probabilities[1:]]
        for photons in range(2, _MOST_PHOTONS):
            odds = sum(s * (k / low) ** photons for s, k in zip(scale, rest, strict=True))
            if max(rest, default=0.0) < low and odds <= precision:
                return photons, odds
        raise KeyLengthError(
            f"the intensities {self.intensities} are too close to tell single photons apart"
        )


@lru_cache(maxsize=4096)
def _intensity_weights(source: Source, photons: int) -> tuple[tuple[float, ...], ...]:
    """See `Source.intensity_weights`; an analysis asks for the same hundreds of times."""
    extremes = [
        source.extremes(intensity, probability, photons)
        for intensity, probability in zip(source.intensities, source.probabilities, strict=True)
    ]
    corners = dict.fromkeys(itertools.product(*extremes))
    return tuple(tuple(weight / math.fsum(corner) for weight in corner) for corner in corners)
