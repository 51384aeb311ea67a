"""Where a session's random numbers come from."""

import hashlib
import os
from collections import Counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["RandomSource", "SeededRandom", "SystemRandom", "random_mask"]


class RandomSource(Protocol):
    """A source of random bytes.

    Attributes
    ----------
    simulation : bool
        Whether the bytes follow from a seed and so protect nothing.
    """

    simulation: bool

    def draw(self, purpose: str, count: int) -> bytes:
        """Return `count` fresh random bytes for a purpose."""
        ...


class SystemRandom:
    """The operating system's random numbers."""

    simulation = False

    def draw(self, purpose: str, count: int) -> bytes:  # noqa: ARG002 - one source for all
        """Return `count` fresh random bytes."""
        return os.urandom(count)


class SeededRandom:
    """Repeatable numbers for simulations: SHAKE-256 of seed, end, purpose and a counter.

    Every purpose has its own sequence, so that the numbers do not depend on the order in which
    messages happen to arrive.

    Parameters
    ----------
    seed : int
        Equal seeds give equal bytes.
    end : str
        The two ends of a session draw different numbers from one seed.
    """

    simulation = True

    def __init__(self, seed: int, end: str) -> None:
        self._prefix = f"keybeam {seed} {end}"
        self._draws: Counter[str] = Counter()

    def draw(self, purpose: str, count: int) -> bytes:
        """Return the next `count` bytes of a purpose."""
        self._draws[purpose] += 1
        text = f"{self._prefix} {purpose} {self._draws[purpose]}"
        return hashlib.shake_256(text.encode()).digest(count)


def random_mask(
    source: RandomSource, purpose: str, count: int, fraction: float
) -> NDArray[np.bool_]:
    """Choose each of `count` places independently with a probability of `fraction`.

    The probability is met to within 2^-32.
    """
    draws = np.frombuffer(source.draw(purpose, 4 * count), "<u4")
    mask: NDArray[np.bool_] = draws < round(fraction * (1 << 32))
    return mask
