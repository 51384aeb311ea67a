"""The entropy of a bit."""

import math

__all__ = ["binary_entropy"]


def binary_entropy(probability: float) -> float:
    """Shannon entropy in bits of a bit that is one with the given probability (0 to 1)."""
    if probability in (0.0, 1.0):
        return 0.0
    rest = -math.log1p(-probability) * (1 - probability)
    return (rest - probability * math.log(probability)) / math.log(2)
