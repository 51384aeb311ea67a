"""Blocks whose photon numbers and phase errors are known, on honest and attacked links.

Pulses are simulated forwards: by intensity, then photon number, then what an eavesdropper lets
through of it and how she disturbs it. No formula of the analysis is used.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.key_length.source import Source

__all__ = ["ATTACKS", "Attack", "Behaviour", "SimulatedBlocks", "simulate"]

Array = NDArray[np.float64]

MOST_PHOTONS = 8
"""Photon numbers that are simulated; of 0.8 on average, 1e-7 of the pulses have more."""

_BACKGROUND = 0.0116
"""Background of the link that is simulated, in mean photon numbers (see `Link`)."""

_ERROR_RATE = 0.00315
"""Error rate of the photons, that of a contrast of 25 dB."""

_SEGMENTS = 10
"""Parts of a block between which an eavesdropper may change her mind."""


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What becomes of pulses by their photon number.

    Attributes
    ----------
    yields : ndarray of float64, shape (MOST_PHOTONS + 1,)
        Clicks, over those that one photon makes on the honest link.
    single : ndarray of float64, shape (2, 2)
        Probabilities that a single photon is wrong in the first basis (rows) and in the second.
    error_rates : ndarray of float64, shape (MOST_PHOTONS + 1,)
        Error rates by photon number; that of one photon follows from `single`.
    """

    yields: Array
    single: Array
    error_rates: Array


@dataclass(frozen=True)
class Attack:
    """What an eavesdropper does.

    Attributes
    ----------
    name : str
        Its name.
    behaviours : tuple of Behaviour
        What she chooses from, for each part of a block.
    choose : callable
        Gives her choices from the clicks so far, (blocks, intensities), and a generator.
    """

    name: str
    behaviours: tuple[Behaviour, ...]
    choose: Callable[[Array, np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class SimulatedBlocks:
    """Blocks, with what nobody would see of them.

    Attributes
    ----------
    clicks, errors : ndarray of float64, shape (blocks, intensities)
        Clicks and wrong bits of each intensity.
    vacuum, single, phase_errors : ndarray of float64, shape (blocks,)
        Signal clicks without a photon, with one, and the phase errors of the latter.
    """

    clicks: Array
    errors: Array
    vacuum: Array
    single: Array
    phase_errors: Array


def _independent(rate: float) -> Array:
    return np.outer((1 - rate, rate), (1 - rate, rate))


def _honest() -> Behaviour:
    photons = np.arange(MOST_PHOTONS + 1, dtype=np.float64)
    single = (_independent(_ERROR_RATE) + _BACKGROUND * _independent(0.5)) / (1 + _BACKGROUND)
    yields = photons + _BACKGROUND
    rates = (photons * _ERROR_RATE + _BACKGROUND / 2) / yields
    return Behaviour(yields, np.asarray(single, np.float64), rates)


def _splitting(kept: float, numbers: tuple[int, ...]) -> Behaviour:
    """Let part of the single photons through, and so many pulses of `numbers` that S_μ stays.

    Of these she keeps a photon, measures it once the basis is told, and makes no error.
    """
    honest, signal = _honest(), Source().intensities[0]
    weights = np.array([math.exp(-signal) * signal**n / math.factorial(n) for n in range(9)])
    yields = np.zeros(MOST_PHOTONS + 1)
    yields[:2] = _BACKGROUND, kept
    missing = weights @ honest.yields - weights @ yields
    yields[list(numbers)] = missing / weights[list(numbers)].sum()
    none = np.where(np.arange(MOST_PHOTONS + 1) == 0, 0.5, 0.0)
    return Behaviour(yields, honest.single, none)


def _intercepted(part: float, behaviour: Behaviour) -> Behaviour:
    """Measure part of the single photons in a basis at random, and send on what is found."""
    # Right in that basis, wrong in the other one time in two.
    resent = np.array([[0.5, 0.25], [0.25, 0.0]])
    single = (1 - part) * behaviour.single + part * resent
    return Behaviour(behaviour.yields, single, behaviour.error_rates)


def _always(seen: Array, generator: np.random.Generator) -> NDArray[np.int64]:
    del generator
    return np.zeros(len(seen), np.int64)


def _now_and_then(seen: Array, generator: np.random.Generator) -> NDArray[np.int64]:
    return (generator.random(len(seen)) < 0.3).astype(np.int64)


def _when_unnoticed(seen: Array, generator: np.random.Generator) -> NDArray[np.int64]:
    """Attack while the decoys seen so far are more than expected of so many signals."""
    del generator
    honest = 0.5 * (0.1 + _BACKGROUND) / (0.8 + _BACKGROUND)
    return (seen[:, 1] > honest * seen[:, 0]).astype(np.int64)


ATTACKS = (
    Attack("none", (_honest(),), _always),
    Attack("photon-number splitting", (_splitting(0.3, tuple(range(2, 9))),), _always),
    Attack("splitting of pairs only", (_splitting(0.3, (2,)),), _always),
    Attack("intercept-resend of 5 %", (_intercepted(0.05, _honest()),), _always),
    Attack(
        "bursts of both",
        (_honest(), _intercepted(0.2, _splitting(0.5, tuple(range(2, 9))))),
        _now_and_then,
    ),
    Attack(
        "splitting while unnoticed",
        (_honest(), _splitting(0.6, tuple(range(2, 9)))),
        _when_unnoticed,
    ),
)
"""What is simulated."""


def simulate(
    attack: Attack, blocks: int, signal: int, generator: np.random.Generator
) -> SimulatedBlocks:
    """Simulate blocks of the source of arXiv:2408.10994.

    Parameters
    ----------
    attack : Attack
        What happens on the link.
    blocks : int
        How many.
    signal : int
        Signal clicks of a block, on average.
    generator : numpy.random.Generator
        Where the randomness comes from.
    """
    source = Source()
    intensities = len(source.intensities)
    clicks, errors = np.zeros((blocks, intensities)), np.zeros((blocks, intensities))
    hidden = np.zeros((3, blocks))
    pulses = signal / (source.probabilities[0] * (source.intensities[0] + _BACKGROUND)) / _SEGMENTS
    for _ in range(_SEGMENTS):
        chosen = attack.choose(clicks, generator)
        for which, behaviour in enumerate(attack.behaviours):
            mine = np.flatnonzero(chosen == which)
            seen = _segment(source, behaviour, pulses, mine.size, generator)
            clicks[mine] += seen[0]
            errors[mine] += seen[1]
            hidden[:, mine] += seen[2]
    return SimulatedBlocks(clicks, errors, *hidden)


def _segment(
    source: Source,
    behaviour: Behaviour,
    pulses: float,
    blocks: int,
    generator: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Clicks and errors by intensity, and vacuum, single photons, phase errors of signals."""
    intensities = len(source.intensities)
    clicks, errors = np.zeros((blocks, intensities)), np.zeros((blocks, intensities))
    hidden = np.zeros((3, blocks))
    for place, (mean, share) in enumerate(
        zip(source.intensities, source.probabilities, strict=True)
    ):
        for photons, part in enumerate(behaviour.yields):
            weight = math.exp(-mean) * mean**photons / math.factorial(photons)
            found = generator.poisson(pulses * share * weight * part, blocks)
            clicks[:, place] += found
            if photons == 1:
                wrong, phase = _single(found, behaviour.single, generator)
            else:
                wrong = generator.binomial(found, behaviour.error_rates[photons])
                phase = np.zeros_like(found)
            errors[:, place] += wrong
            if place == 0 and photons < 2:
                hidden[photons] += found
                hidden[2] += phase
    return clicks, errors, hidden


def _single(
    found: NDArray[np.int64], probabilities: Array, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bit and phase errors of single photons, each measured in a basis at random."""
    kinds = generator.multinomial(found, probabilities.ravel())
    both = kinds[:, 3]
    # Wrong in one basis only: a bit error in that one, a phase error in the other.
    one = kinds[:, 1] + kinds[:, 2]
    bit = generator.binomial(one, 0.5)
    return both + bit, both + one - bit
