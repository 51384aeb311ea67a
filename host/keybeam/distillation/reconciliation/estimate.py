"""Error rate of a frame to come, from samples and from frames that were corrected."""

from typing import NamedTuple

from keybeam.distillation.errors import DistillationError

__all__ = ["DRIFT", "Counted", "ErrorEstimate", "estimate_error_rate"]

DRIFT = 0.12
"""Change of the error rate from one frame to the next, as part of it.

In a simulated pass (``keybeam pass``) the root of the mean square of the changes is about this;
they are largest at the horizon, where fewer photons arrive beside the same background.
"""


class Counted(NamedTuple):
    """Errors that were counted in some bits.

    Attributes
    ----------
    errors, bits : int
        Wrong bits, and all bits.
    age : int
        Frames between these bits and the frame to come; 0 for a sample of the frame itself.
    """

    errors: int
    bits: int
    age: int


class ErrorEstimate(NamedTuple):
    """An expected error rate.

    Attributes
    ----------
    rate : float
        The rate, 0 to 0.5.
    deviation : float
        Its standard deviation.
    """

    rate: float
    deviation: float


def estimate_error_rate(counts: list[Counted], drift: float = DRIFT) -> ErrorEstimate:
    """Pool counts of errors, each weighted by what it can tell of the frame to come.

    A count of n bits has the variance q(1 - q)/n, and the rate itself changes from frame to
    frame, so that a count of age a adds a·(drift·q)².

    Parameters
    ----------
    counts : list of Counted
        Samples and exact counts.
    drift : float
        Root mean square of the change from frame to frame, as part of the rate.

    Raises
    ------
    DistillationError
        If there is no bit at all, or a count is impossible.
    """
    counts = [count for count in counts if count.bits]
    if not counts:
        raise DistillationError("an error rate cannot be estimated from no bits")
    for count in counts:
        if not 0 <= count.errors <= count.bits or count.age < 0:
            raise DistillationError(
                f"{count.errors} errors in {count.bits} bits {count.age} frames ago cannot be"
            )
    # One error more keeps a count without errors from looking certain.
    pooled = (sum(count.errors for count in counts) + 1) / sum(count.bits for count in counts)
    pooled = min(pooled, 0.5)
    weights = [
        1 / (pooled * (1 - pooled) / count.bits + count.age * (drift * pooled) ** 2)
        for count in counts
    ]
    rate = sum(
        weight * count.errors / count.bits for weight, count in zip(weights, counts, strict=True)
    ) / sum(weights)
    return ErrorEstimate(min(rate, 0.5), sum(weights) ** -0.5)
