import math

import numpy as np
import pytest

from keybeam.key_length import Source
from keybeam.key_length.hidden import Layout, Target
from keybeam.key_length.simulation import ATTACKS, simulate
from keybeam.key_length.supermartingale import family
from keybeam.key_length.trial import TRIAL_FAILURE, run_trial

SEED = 20260101


def test_bounds_are_not_exceeded_more_often_than_allowed():
    results = run_trial(300, 200_000, SEED)
    assert len(results) == 3 * len(ATTACKS)
    for result in results:
        assert result.exceeded <= TRIAL_FAILURE * result.blocks
        assert result.exceeded_alone <= 2 * TRIAL_FAILURE * result.blocks
        assert result.exceeded_of_key == 0
        assert 0 < result.closeness_of_key < result.closeness < 1
    honest = {result.bound: result for result in results if result.attack == "none"}
    assert honest[Target.SINGLE.value].closeness > 0.85


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_keeps_the_signals_but_not_the_secrets(attack):
    generator = np.random.default_rng(SEED)
    honest = simulate(ATTACKS[0], 50, 200_000, generator)
    blocks = simulate(attack, 50, 200_000, generator)
    assert blocks.clicks[:, 0].mean() == pytest.approx(200_000, rel=2e-3)
    if attack is not ATTACKS[0]:
        single, phase = blocks.single.mean(), blocks.phase_errors.mean()
        assert single < 0.98 * honest.single.mean() or phase > 1.5 * honest.phase_errors.mean()


def test_the_honest_link_is_that_of_the_published_check():
    blocks = simulate(ATTACKS[0], 200, 500_000, np.random.default_rng(SEED))
    signal, decoy, vacuum = blocks.clicks.mean(axis=0)
    assert decoy / signal == pytest.approx(34_375 / 500_000, rel=5e-3)
    assert vacuum / signal == pytest.approx(3_879 / 500_000, rel=1e-2)
    assert blocks.errors[:, 0].mean() / signal == pytest.approx(0.0101, rel=0.02)
    assert blocks.errors[:, 1].mean() == pytest.approx(1_878, rel=0.02)


def test_a_bound_without_its_allowance_is_exceeded_often():
    """The trial can fail: without ln(1/ε) a bound holds no more often than not."""
    layout = Layout(((False, False, False),))
    bounds = family(Source(), layout, Target.SINGLE)
    pairs_only = ATTACKS[2]
    blocks = simulate(pairs_only, 300, 500_000, np.random.default_rng(SEED))
    found = bounds.bound(blocks.clicks, -math.log(bounds.size))
    assert np.count_nonzero(blocks.single < found) > 30
