"""Kernels in C++ that work on tags; each has a twin in NumPy that gives the same bits."""

import numpy as np
from numpy.typing import NDArray

def split_records(
    records: NDArray[np.uint64],
    tags: NDArray[np.uint8],
    channels: int,
    known: bool,
    restarted: bool,
    time: int,
    ordered: int,
    time_bits: int,
    type_shift: int,
    tag_type: int,
    silent_type: int,
    timed_types: int,
    ordered_types: int,
) -> tuple[int, NDArray[np.int64], NDArray[np.int64], int, bool, bool, int, int]: ...
def count_pairs(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    lowest: int,
    width: int,
    counts: NDArray[np.int64],
    same: bool,
) -> None: ...
def scan_records(
    records: NDArray[np.uint64],
    channels: int,
    known: bool,
    restarted: bool,
    time: int,
    ordered: int,
    time_bits: int,
    type_shift: int,
    tag_type: int,
    silent_type: int,
    timed_types: int,
    ordered_types: int,
) -> tuple[int, int, NDArray[np.int64], NDArray[np.int64], int, bool, bool, int, int] | None: ...
def place_tags(
    words: NDArray[np.uint64],
    base: int,
    time_bits: int,
    first_head: int,
    channels: int,
    starts: NDArray[np.float64],
    deviations: NDArray[np.float64],
    key: NDArray[np.uint8],
    origin: int,
    counter: int,
    shift_ps: float,
    gate: tuple[float, float, int, int, int] | None,
    clicks: NDArray[np.uint8],
    later: NDArray[np.uint64],
    step_ps: float,
    frame_steps: int,
    frame_ps: float,
    frame_slots: float,
    slot_ps: float,
) -> tuple[int, int, int, int, int, int, int, int, NDArray[np.int64], NDArray[np.int64]]: ...
def order_of(clicks: NDArray[np.uint8]) -> int: ...
def gate_clicks(
    clicks: NDArray[np.uint8],
    slot_ps: float,
    delay_ps: float,
    half_width_ps: float,
    gated: NDArray[np.uint8],
) -> int: ...
def single_clicks(
    clicks: NDArray[np.uint8], single: NDArray[np.uint8]
) -> tuple[int, NDArray[np.int64]]: ...
def order_of_words(words: NDArray[np.uint32]) -> int: ...
def pack_clicks(clicks: NDArray[np.uint8], words: NDArray[np.uint32]) -> int: ...
def single_words(
    words: NDArray[np.uint32], single: NDArray[np.uint32]
) -> tuple[int, NDArray[np.int64]]: ...
def fletcher32(data: NDArray[np.uint8]) -> int: ...
