"""Where a session's random numbers come from."""

import hashlib
import os
from collections import Counter
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

__all__ = ["ExpandedRandom", "RandomSource", "SeededRandom", "SystemRandom", "random_mask"]

_KEY_BYTES = 32


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


class ExpandedRandom:
    """Any number of bytes from one drawn key: the key stream of AES-256 in counter mode.

    An operating system expands its entropy by a cipher as well, but takes longer. Whoever cannot
    tell AES from a random permutation cannot tell these bytes from random ones, but for a chance of
    2^-77 in a gibibyte of 2^26 blocks (counter mode: NIST SP 800-38A; Bellare, Desai, Jokipii,
    Rogaway, FOCS 1997).

    Parameters
    ----------
    key : bytes
        32 random bytes, used for nothing else.
    """

    def __init__(self, key: bytes) -> None:
        self._stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()

    def draw(self, count: int) -> NDArray[np.uint8]:
        """Return the next `count` bytes."""
        drawn = np.empty(count, np.uint8)
        self._stream.update_into(bytes(count), drawn.data)
        return drawn


def random_mask(
    source: RandomSource, purpose: str, count: int, fraction: float
) -> NDArray[np.bool_]:
    """Choose each of `count` places independently with a probability of `fraction`.

    A byte decides each of them, or leaves it to four more where it lies on the border: one in 256.
    The probability is met to within 2^-40. The bytes are those of a fresh key, expanded.

    Parameters
    ----------
    source : RandomSource
        Gives the key.
    purpose : str
        What the choice is for.
    count : int
        Number of places.
    fraction : float
        From 0 to 1.
    """
    whole, rest = divmod(round(fraction * (1 << 40)), 1 << 32)
    stream = ExpandedRandom(source.draw(purpose, _KEY_BYTES))
    draws = stream.draw(count)
    mask: NDArray[np.bool_] = draws < whole
    border = np.flatnonzero(draws == whole)
    mask[border] = stream.draw(4 * border.size).view("<u4") < rest
    return mask
