"""Choice of a code from an estimated error rate."""

import math
from collections.abc import Callable

from keybeam.distillation.errors import DistillationError, NoCodeError
from keybeam.distillation.reconciliation.code import (
    Code,
    code_by_identifier,
    code_identifiers,
    limit_of,
)
from keybeam.distillation.reconciliation.estimate import ErrorEstimate
from keybeam.distillation.reconciliation.fast_code import (
    fast_code_by_identifier,
    fast_code_identifiers,
    fast_limit_of,
)
from keybeam.distillation.reconciliation.modes import Mode
from keybeam.protocol.numbers import PACKET_BITS

__all__ = ["choose_code", "frame_error_limit"]

_LIMIT_SPREAD = 0.019
"""Standard deviation, from frame to frame, of the errors a code can stand, as part of them.

It is that of frames of one packet, and falls with the root of the length.
"""

_LARGEST_SPREAD = 2.1e-4
"""Most that this can be, as an error rate: it does not grow further with the errors."""


def frame_error_limit(
    estimate: ErrorEstimate, margin: float, doubt: float = 1.0, frame_bits: int = PACKET_BITS
) -> float:
    """Error rate that lies a number of standard deviations above an estimate.

    A frame's own errors are binomial around the true rate, and the rate is not exact; also
    frames with the same number of errors are not all equally hard to decode.

    Parameters
    ----------
    estimate : ErrorEstimate
        Expected error rate.
    margin : float
        Standard deviations to add.
    doubt : float
        Weight of the estimate's own deviation among them.
    frame_bits : int
        Bits of the frame.

    Returns
    -------
    float

    Raises
    ------
    DistillationError
        If the rate or its deviation is out of range.
    """
    rate, deviation = estimate
    if not 0 <= rate <= 0.5:
        raise DistillationError(f"an error rate lies between 0 and 0.5, not {rate}")
    if not 0 <= deviation < math.inf:
        raise DistillationError(f"an error rate cannot have the deviation {deviation}")
    variance = rate * (1 - rate) / frame_bits
    spread = min(_LIMIT_SPREAD * rate, _LARGEST_SPREAD)
    variance += spread**2 * PACKET_BITS / frame_bits
    variance += (doubt * deviation) ** 2
    return max(rate + margin * math.sqrt(variance), 0.0)


def choose_code(
    estimate: ErrorEstimate | float, mode: Mode = Mode.EFFICIENT, frame_bits: int = PACKET_BITS
) -> Code:
    """Choose the code that suits a mode.

    Where all has to be in one message, it is the one with the shortest syndrome whose limit is
    not below the expected errors and their margin; where bits may be asked for later, the one
    with the longest syndrome whose limit is not above.

    Parameters
    ----------
    estimate : ErrorEstimate or float
        Expected error rate; a number alone is taken as exact.
    mode : Mode
        How the frame is reconciled; `Mode.EFFICIENT` decodes nearly all frames.
    frame_bits : int
        Bits of a frame; see `code_identifiers`.

    Returns
    -------
    Code

    Raises
    ------
    NoCodeError
        If the rate is too high for every code.
    DistillationError
        If it is out of range, or there are no codes for such frames.
    """
    if not isinstance(estimate, ErrorEstimate):
        estimate = ErrorEstimate(estimate, 0.0)
    if mode is Mode.FAST:
        if frame_bits != PACKET_BITS:
            raise DistillationError(
                f"the mode fast has codes for frames of {PACKET_BITS} bits only"
            )
        limit = frame_error_limit(estimate, mode.margin, mode.doubt)
        _, enough = _enough(estimate, limit, fast_code_identifiers(), fast_limit_of)
        return fast_code_by_identifier(enough)
    identifiers = code_identifiers(frame_bits)
    limit = frame_error_limit(estimate, mode.margin, mode.doubt, frame_bits)
    shorter, enough = _enough(estimate, limit, identifiers, limit_of)
    return code_by_identifier(shorter if mode.rounds else enough)


def _enough(
    estimate: ErrorEstimate, limit: float, identifiers: list[int], limit_of: Callable[[int], float]
) -> tuple[int, int]:
    """Codes with the longest syndrome that is not, and the shortest that is, enough for a rate."""
    if limit > limit_of(identifiers[-1]):
        raise NoCodeError(
            f"no reconciliation code for an error rate of {estimate.rate:.2%}: "
            f"frames of up to {limit_of(identifiers[-1]):.2%} can be decoded"
        )
    enough = next(place for place, code in enumerate(identifiers) if limit <= limit_of(code))
    return identifiers[max(enough - 1, 0)], identifiers[enough]
