"""The kernel of sifting in C++; its twin in NumPy is look-up, then `keybeam.sifting.compare`."""

import numpy as np
from numpy.typing import NDArray

def sift_clicks(
    pairs: NDArray[np.uint8],
    first: int,
    invalid: int,
    index: NDArray[np.uint64],
    channel: NDArray[np.uint8],
    sampled: NDArray[np.uint8],
    matching_index: NDArray[np.uint64],
    intensity: NDArray[np.uint8],
    matching_sampled: NDArray[np.uint8],
    bits: NDArray[np.uint8],
    error: NDArray[np.uint8],
) -> int: ...
