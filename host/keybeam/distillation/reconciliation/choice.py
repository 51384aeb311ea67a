"""Choice of a code from an estimated error rate."""

import math

from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation.code import (
    Code,
    code_by_identifier,
    code_identifiers,
    limit_of,
)
from keybeam.protocol.numbers import PACKET_BITS

__all__ = ["MARGIN", "choose_code", "frame_error_limit"]

MARGIN = 2.6
"""Standard deviations between the estimate and a code's limit: 0.5 % of frames lie beyond."""

_LIMIT_SPREAD = 0.012
"""Standard deviation, from frame to frame, of the errors a code can stand, as part of them."""


def frame_error_limit(qber: float, sampled_bits: int | None = None) -> float:
    """Error rate that a frame exceeds only rarely, given an estimate.

    A frame's own errors are binomial around the true rate, and so is the sample; also
    frames with the same number of errors are not all equally hard to decode.

    Parameters
    ----------
    qber : float
        Estimated error rate, 0 to 0.5.
    sampled_bits : int, optional
        Number of bits it was estimated from; without it, the rate is taken as exact.

    Returns
    -------
    float
        The estimate plus `MARGIN` standard deviations.

    Raises
    ------
    DistillationError
        If the rate is out of range or the sample is empty.
    """
    if not 0 <= qber <= 0.5:
        raise DistillationError(f"an error rate lies between 0 and 0.5, not {qber}")
    if sampled_bits is not None and sampled_bits < 1:
        raise DistillationError(f"an error rate cannot be sampled from {sampled_bits} bits")
    variance = qber * (1 - qber) / PACKET_BITS + (_LIMIT_SPREAD * qber) ** 2
    if sampled_bits is not None:
        # One error more keeps a sample without errors from looking certain.
        likely = min(0.5, qber + 1 / sampled_bits)
        variance += likely * (1 - likely) / sampled_bits
    return qber + MARGIN * math.sqrt(variance)


def choose_code(qber: float, sampled_bits: int | None = None) -> Code:
    """Choose the code with the shortest syndrome that decodes nearly all frames.

    Parameters
    ----------
    qber : float
        Estimated error rate, 0 to 0.5.
    sampled_bits : int, optional
        Number of bits it was estimated from; see `frame_error_limit`.

    Returns
    -------
    Code

    Raises
    ------
    DistillationError
        If the rate is out of range or too high for every code.
    """
    limit = frame_error_limit(qber, sampled_bits)
    for identifier in code_identifiers():
        if limit <= limit_of(identifier):
            return code_by_identifier(identifier)
    raise DistillationError(
        f"no reconciliation code for an error rate of {qber:.2%}: "
        f"frames of up to {limit_of(code_identifiers()[-1]):.2%} can be decoded"
    )
