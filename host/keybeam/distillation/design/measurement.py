"""How many errors a code can stand, by decoding frames of random errors."""

import numpy as np

from keybeam.distillation.reconciliation.code import Code
from keybeam.distillation.reconciliation.decoder import decode

__all__ = ["measured_limit"]

_RESOLUTION = 0.004
_STEP = 0.015


def _decodes(code: Code, errors: np.ndarray[tuple[int], np.dtype[np.intp]]) -> bool:
    frame = np.zeros(code.frame_bits, np.uint8)
    frame[errors] = 1
    result = decode(code, frame, np.zeros(code.syndrome_bits, np.uint8))
    return result.converged and not result.bits.any()


def _frame_limit(code: Code, generator: np.random.Generator, start: int) -> int:
    """Errors, set one after another in random places, where a frame is no longer decoded."""
    order = generator.permutation(code.frame_bits)
    good, bad = 0, 0
    trial = start
    while not good or not bad or bad - good > max(1, _RESOLUTION * bad):
        if _decodes(code, order[:trial]):
            good = trial
        else:
            bad = trial
        trial = (
            (good + bad) // 2 if good and bad else round(trial * (1 + _STEP if good else 1 - _STEP))
        )
    return (good + bad) // 2


def measured_limit(code: Code, generator: np.random.Generator, frames: int) -> float:
    """Mean over frames of the error rate up to which a frame is decoded.

    Parameters
    ----------
    code : Code
        The code; its own `limit_qber` is where the search starts.
    generator : numpy.random.Generator
        Source of the errors.
    frames : int
        Frames to decode.
    """
    limits: list[int] = []
    for _ in range(frames):
        start = round(np.mean(limits)) if limits else round(code.limit_qber * code.frame_bits)
        limits.append(_frame_limit(code, generator, start))
    return float(np.mean(limits)) / code.frame_bits
