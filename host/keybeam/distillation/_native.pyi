"""Kernels in C++; each has a twin in NumPy that gives the same bits."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

class InstructionSet(Enum):
    PORTABLE = 0
    AVX2 = 1
    AVX512 = 2

class ProductKernel(Enum):
    PORTABLE = 0
    CARRYLESS = 1
    TRANSFORM = 2

def is_available(kind: InstructionSet | ProductKernel, /) -> bool: ...
def find_syndrome(
    row_starts: NDArray[np.int32],
    columns: NDArray[np.int32],
    shifts: NDArray[np.int32],
    circulant: int,
    block_columns: int,
    bits: NDArray[np.uint8],
) -> NDArray[np.uint8]: ...
def decode_layered(
    row_starts: NDArray[np.int32],
    columns: NDArray[np.int32],
    shifts: NDArray[np.int32],
    circulant: int,
    block_columns: int,
    syndrome: NDArray[np.uint8],
    odds: NDArray[np.float32],
    messages: NDArray[np.float32],
    iteration_limit: int,
    patience: int,
    instruction_set: InstructionSet,
) -> tuple[NDArray[np.uint8], bool, int]: ...
def find_distances(
    origins: NDArray[np.int32],
    targets: NDArray[np.int32],
    steps: NDArray[np.int32],
    lengths: NDArray[np.int32],
    circulant: int,
    rows: int,
    row: int,
) -> NDArray[np.uint8]: ...
def is_fast_available(instruction_set: InstructionSet) -> bool: ...

class FastDecoder:
    def __init__(
        self,
        row_starts: NDArray[np.int32],
        columns: NDArray[np.int32],
        shifts: NDArray[np.int32],
        circulant: int,
        block_columns: int,
        doubt: NDArray[np.int8],
        message: NDArray[np.int8],
        channel: int,
        frame_bits: int,
    ) -> None: ...
    def decode(
        self,
        own: NDArray[np.uint8],
        syndrome: NDArray[np.uint8],
        iteration_limit: int,
        instruction_set: InstructionSet,
    ) -> tuple[NDArray[np.uint8], bool, int, int]: ...

def middle_product(
    a: NDArray[np.uint64], b: NDArray[np.uint64], offset: int, words: int, kernel: ProductKernel
) -> NDArray[np.uint64]: ...
def toeplitz(
    bits: NDArray[np.uint8], seed: NDArray[np.uint8], length: int, kernel: ProductKernel
) -> NDArray[np.uint8]: ...
