"""The check that an array is a bit string, which every step of distillation makes first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation.errors import DistillationError

__all__ = ["require_bits"]


def require_bits(array: NDArray[Any], name: str, length: int | None = None) -> NDArray[np.uint8]:
    """Return a bit string as contiguous uint8, or say what is wrong with it.

    Parameters
    ----------
    array : ndarray, shape (n,)
        Values 0 and 1 of dtype uint8 or bool.
    name : str
        What the array is called in the error.
    length : int, optional
        The length it must have.

    Raises
    ------
    DistillationError
        If shape, dtype, length or a value is wrong; no value stands in the message.
    """
    array = np.asarray(array)
    if array.ndim != 1 or array.dtype not in (np.uint8, np.bool_):
        raise DistillationError(
            f"{name} must be a one-dimensional uint8 array, not {array.ndim}-dimensional "
            f"{array.dtype}"
        )
    if length is not None and array.size != length:
        raise DistillationError(f"{name} must have {length} bits, not {array.size}")
    bits = np.ascontiguousarray(array).view(np.uint8)
    if bits.size and int(bits.max()) > 1:
        raise DistillationError(f"{name} must hold only 0 and 1")
    return bits
