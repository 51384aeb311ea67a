"""Joining of arrays of tags and clicks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["joined"]


def joined(parts: Sequence[NDArray[np.void]], kind: np.dtype[np.void]) -> NDArray[np.void]:
    """Join arrays of records; the array itself where only one holds any.

    NumPy would copy records field by field, which takes several times as long as their bytes.

    Parameters
    ----------
    parts : sequence of ndarray of `kind`
        The arrays.
    kind : dtype
        Their type, without padding.
    """
    filled = [np.ascontiguousarray(part) for part in parts if part.size]
    if len(filled) == 1:
        return filled[0]
    octets = np.concatenate([np.empty(0, np.uint8), *(part.view(np.uint8) for part in filled)])
    return octets.view(kind)
