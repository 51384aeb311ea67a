"""The kernel of sifting in C++; its twin in NumPy is look-up, `compare`, and `PacketAssembler`."""

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
