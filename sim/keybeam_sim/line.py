"""The optical line as a receiver's sampling inputs see it: clock offset, jitter, bit errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keybeam.protocol.numbers import LINE_RATE_HZ, SLOTS_PER_CYCLE

__all__ = ["LineConditions", "sample_line"]


@dataclass(frozen=True)
class LineConditions:
    """What happens to the bits between two clocks. A unit interval (UI) is a line bit, 6.4 ns.

    Attributes
    ----------
    offset : float
        Relative excess of the sender's bit duration, as the receiver sees it, at the beginning.
    ramp : float
        Change of it in a second, in 1/s.
    jitter_ui, jitter_hz : float
        Sinusoidal jitter, from peak to peak, and its frequency.
    jitter_phase : float
        Its phase at the first bit, in turns.
    random_ui : float
        Standard deviation of every border between two bits, normally distributed.
    error_rate : float
        Probability that a bit arrives inverted.
    start : float
        Time of the first border after the first sample, in samples.
    """

    offset: float = 0.0
    ramp: float = 0.0
    jitter_ui: float = 0.0
    jitter_hz: float = 10e6
    jitter_phase: float = 0.0
    random_ui: float = 0.0
    error_rate: float = 0.0
    start: float = 0.0


def sample_line(
    bits: ArrayLike, conditions: LineConditions, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Sample a line four times a cycle.

    Parameters
    ----------
    bits : array_like of int, shape (n,)
        The bits as they are sent.
    conditions : LineConditions
        What happens on the way.
    rng : Generator
        Makes random jitter and bit errors.

    Returns
    -------
    words : ndarray of uint8, shape (cycles,)
        Samples of each whole cycle, the earliest lowest. Before the first bit the line is 0.
    first : ndarray of int64, shape (n,)
        Number of the first sample of each bit.

    Raises
    ------
    ValueError
        If the jitter would put the borders of a bit in the wrong order.
    """
    arriving = np.array(bits, np.uint8)
    arriving ^= rng.random(arriving.size) < conditions.error_rate
    place = np.arange(arriving.size + 1, dtype=float)
    seconds = place / LINE_RATE_HZ
    turns = conditions.jitter_hz * seconds + conditions.jitter_phase
    shift = place * (conditions.offset + conditions.ramp * seconds / 2)
    shift += conditions.jitter_ui / 2 * np.sin(2 * np.pi * turns)
    if conditions.random_ui:
        shift += rng.normal(0, conditions.random_ui, place.size)
    first = np.ceil(conditions.start + SLOTS_PER_CYCLE * (place + shift)).astype(np.int64)
    length = np.diff(first)
    if first[0] < 0 or length.min() < 0:
        raise ValueError("the jitter puts borders between bits in the wrong order")
    samples = np.concatenate([np.zeros(first[0], np.uint8), np.repeat(arriving, length)])
    cycles = samples.size // SLOTS_PER_CYCLE
    weights = (1 << np.arange(SLOTS_PER_CYCLE)).astype(np.uint8)
    words = samples[: SLOTS_PER_CYCLE * cycles].reshape(cycles, SLOTS_PER_CYCLE) @ weights
    return words.astype(np.uint8), first[:-1]
