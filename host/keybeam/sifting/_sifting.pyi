"""The kernels of sifting in C++; the twin of `sift_clicks` is look-up, `compare`, and assembly."""

import numpy as np
from numpy.typing import NDArray

def sift_clicks(
    pairs: NDArray[np.uint8],
    first: int,
    signal: int,
    decoy: int,
    vacuum: int,
    check_bases: int,
    words: NDArray[np.uint32],
    first_pulse: int,
    sampled: NDArray[np.uint8],
    sent: NDArray[np.uint8],
    received: NDArray[np.uint8],
    counts: NDArray[np.uint64],
    vectors: bool,
) -> int: ...
def pack_clicks(clicks: NDArray[np.uint8], words: NDArray[np.uint32]) -> int: ...
