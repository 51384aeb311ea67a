"""What a link makes of the pulses of a source: expected counts."""

import math
from dataclasses import dataclass

from keybeam.key_length.counts import BasisCounts, SiftedCounts
from keybeam.key_length.errors import KeyLengthError
from keybeam.key_length.source import Source

__all__ = ["Link", "expected_counts"]


@dataclass(frozen=True)
class Link:
    """A link whose losses are so large that a pulse is seldom seen twice.

    The clicks of pulses with mean photon number k are proportional to k + `background`, and
    of those of photons a constant part is wrong, of the background one half.

    Attributes
    ----------
    background : float
        Clicks without a photon, as many as pulses of that mean photon number would give: the
        background counts in a gate over the transmittance. At least 0.
    error_rate : float
        Wrong bits among the clicks of photons, 0 to 0.5.

    Raises
    ------
    KeyLengthError
        If a quantity is out of range.
    """

    background: float
    error_rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.background < math.inf:
            raise KeyLengthError(
                f"the background must be a number of at least 0, not {self.background}"
            )
        if not 0 <= self.error_rate <= 0.5:
            raise KeyLengthError(
                f"the error_rate must lie between 0 and 0.5, not {self.error_rate}"
            )

    @classmethod
    def of_qber(cls, qber: float, error_rate: float, intensity: float) -> "Link":
        """Return the link on which pulses of an intensity have an error rate of `qber`.

        Parameters
        ----------
        qber : float
            Error rate of the clicks, from `error_rate` to below 0.5.
        error_rate : float
            Wrong bits among the clicks of photons; what is more comes from the background.
        intensity : float
            Mean photon number of the pulses, above 0.
        """
        if not error_rate <= qber < 0.5:
            raise KeyLengthError(
                f"the error rate qber must lie between {error_rate} and 0.5, not {qber}"
            )
        return cls(intensity * (qber - error_rate) / (0.5 - qber), error_rate)

    def clicks(self, intensity: float) -> float:
        """Clicks of a pulse, over those of a pulse of one photon on average."""
        return intensity + self.background

    def errors(self, intensity: float) -> float:
        """Wrong bits among `clicks`."""
        return intensity * self.error_rate + self.background / 2


def expected_counts(source: Source, link: Link, signal: int, packets: int = 1) -> SiftedCounts:
    """Return the rounded means of a block's counts; the errors of vacuum pulses are not counted.

    Parameters
    ----------
    source : Source
        The source; both bases make key.
    link : Link
        The link.
    signal : int
        Signal clicks of the block.
    packets : int
        Its reconciliation packets.
    """
    pulses = signal / (source.probabilities[0] * link.clicks(source.intensities[0]))
    clicks, errors = [], []
    for intensity, probability in zip(source.intensities, source.probabilities, strict=True):
        clicks.append(round(pulses * probability * link.clicks(intensity)))
        errors.append(round(pulses * probability * link.errors(intensity)))
    known = [*errors[:2], *[None] * (len(errors) - 2)]
    return SiftedCounts(BasisCounts(tuple(clicks), tuple(known)), packets=packets)
