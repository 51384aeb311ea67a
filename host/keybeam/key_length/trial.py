"""How often, and how closely, bounds are met on simulated blocks."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.key_length.composable import Security
from keybeam.key_length.hidden import Layout, Target
from keybeam.key_length.simulation import ATTACKS, Attack, SimulatedBlocks, simulate
from keybeam.key_length.source import Source
from keybeam.key_length.supermartingale import Family, family

__all__ = ["TRIAL_FAILURE", "TrialResult", "run_trial"]

TRIAL_FAILURE = 0.01
"""Failure probability at which exceeded bounds are counted; with that of a key none ever is."""

_BATCH = 1_000

_LAYOUT = Layout(((True, True, False),))


@dataclass(frozen=True)
class TrialResult:
    """One bound under one attack.

    Attributes
    ----------
    attack : str
        The attack.
    bound : str
        What is bounded.
    blocks : int
        Blocks simulated.
    allowed : float
        Part of the blocks in which the bound may fail.
    exceeded : int
        Blocks in which it did.
    exceeded_alone : int
        The same for the one member of the family that is best on average, with no ε divided.
    closeness : float
        Median of bound over truth, or truth over bound for an upper one, at `allowed`.
    closeness_of_key : float
        The same at the failure probabilities of a key of ε_sec = 1e-10.
    exceeded_of_key : int
        Blocks in which the latter failed.
    """

    attack: str
    bound: str
    blocks: int
    allowed: float
    exceeded: int
    exceeded_alone: int
    closeness: float
    closeness_of_key: float
    exceeded_of_key: int


@dataclass
class _Tally:
    """Sums over the batches of one bound."""

    exceeded: int
    alone: int
    of_key: int
    ratios: list[NDArray[np.float64]]
    ratios_of_key: list[NDArray[np.float64]]


def _counts(blocks: SimulatedBlocks, target: Target) -> NDArray[np.float64]:
    if target is Target.VACUUM:
        return blocks.clicks
    right = blocks.clicks - blocks.errors
    return np.stack(
        [right[:, 0], blocks.errors[:, 0], right[:, 1], blocks.errors[:, 1], blocks.clicks[:, 2]], 1
    )


def _truth(blocks: SimulatedBlocks, target: Target) -> NDArray[np.float64]:
    return {
        Target.VACUUM: blocks.vacuum,
        Target.SINGLE: blocks.single,
        Target.PHASE_ERRORS: blocks.phase_errors,
    }[target]


def _family(target: Target) -> Family:
    layout = _LAYOUT.without_errors() if target is Target.VACUUM else _LAYOUT
    return family(Source(), layout, target)


def _best_member(bounds: Family, counts: NDArray[np.float64]) -> Family:
    evidence = bounds.logarithms @ counts.mean(axis=0)
    return bounds.only(int(((-math.log(TRIAL_FAILURE) - evidence) / bounds.scales).argmin()))


def run_trial(
    blocks: int,
    signal: int,
    seed: int,
    attacks: tuple[Attack, ...] = ATTACKS,
    progress: Callable[[int], None] | None = None,
) -> list[TrialResult]:
    """Simulate blocks under each attack and hold the bounds against the truth.

    Parameters
    ----------
    blocks : int
        Blocks of each attack, 1 or more.
    signal : int
        Signal clicks of a block, on average.
    seed : int
        Seed of the simulation.
    attacks : tuple of Attack
        The attacks.
    progress : callable, optional
        Called with the number of blocks simulated since the last call.
    """
    results = []
    for number, attack in enumerate(attacks):
        generator = np.random.default_rng((seed, number))
        pilot = simulate(attack, 50, signal, generator)
        alone = {t: _best_member(_family(t), _counts(pilot, t)) for t in Target}
        tallies = {target: _Tally(0, 0, 0, [], []) for target in Target}
        for start in range(0, blocks, _BATCH):
            batch = simulate(attack, min(_BATCH, blocks - start), signal, generator)
            for target, tally in tallies.items():
                _add(tally, batch, target, alone[target])
            if progress is not None:
                progress(batch.single.size)
        results += [
            TrialResult(
                attack=attack.name,
                bound=target.value,
                blocks=blocks,
                allowed=TRIAL_FAILURE,
                exceeded=tally.exceeded,
                exceeded_alone=tally.alone,
                closeness=float(np.median(np.concatenate(tally.ratios))),
                closeness_of_key=float(np.median(np.concatenate(tally.ratios_of_key))),
                exceeded_of_key=tally.of_key,
            )
            for target, tally in tallies.items()
        ]
    return results


def _add(tally: _Tally, batch: SimulatedBlocks, target: Target, alone: Family) -> None:
    counts, truth, bounds = _counts(batch, target), _truth(batch, target), _family(target)
    security = Security()
    upper = target is Target.PHASE_ERRORS
    for_key = security.phase_errors if upper else security.counting

    def fails(bound: NDArray[np.float64]) -> int:
        return int(np.count_nonzero(truth > bound if upper else truth < bound))

    found = bounds.bound(counts, -math.log(TRIAL_FAILURE))
    found_for_key = bounds.bound(counts, -math.log(for_key))
    tally.exceeded += fails(found)
    tally.alone += fails(alone.bound(counts, -math.log(TRIAL_FAILURE)))
    tally.of_key += fails(found_for_key)
    tally.ratios.append(truth / found if upper else found / truth)
    tally.ratios_of_key.append(truth / found_for_key if upper else found_for_key / truth)
