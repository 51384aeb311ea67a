"""Kernels in C++; each has a twin in NumPy that gives the same bits."""

import numpy as np
from numpy.typing import NDArray

def decode_layered(
    row_starts: NDArray[np.int32],
    columns: NDArray[np.int32],
    shifts: NDArray[np.int32],
    circulant: int,
    block_columns: int,
    syndrome: NDArray[np.uint8],
    prior_odds: float,
    iteration_limit: int,
) -> tuple[NDArray[np.uint8], bool, int]: ...
