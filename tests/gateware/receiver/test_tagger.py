import numpy as np
import pytest

from keybeam.protocol.records import SAMPLED_FINE_STEP
from keybeam_gateware.receiver.tagger import SampledTagger

FIRST_CYCLE = (1 << 40) - 20
"""The time runs over during the tests."""


def tag(bench, samples):
    """Times in samples since the first, and weights, of the events of a sampled line."""
    dut = SampledTagger()
    words = (samples.reshape(-1, 4) @ (1 << np.arange(4))).tolist() + [0] * 6
    words[-6:] = [0 if samples[-1] == 0 else 15] * 6
    cycles = len(words)
    found = bench.play(
        dut,
        cycles,
        [
            (dut.samples, words),
            (dut.cycle, [(FIRST_CYCLE + cycle) % (1 << 40) for cycle in range(cycles)]),
        ],
        {name: getattr(dut.events, name) for name in dut.events.signature.members},
    )
    relative = [(coarse - FIRST_CYCLE) % (1 << 40) for coarse in found.coarse]
    horizon = [(coarse - FIRST_CYCLE) % (1 << 40) for coarse in found.horizon]
    events = []
    for cycle in np.flatnonzero(found.valid):
        assert found.fine[cycle] % SAMPLED_FINE_STEP == 0
        time = 4 * relative[cycle] + found.fine[cycle] // SAMPLED_FINE_STEP
        # What was promised before holds, and the promise is a recent one.
        assert time >= 4 * max(horizon[SampledTagger.LATENCY : cycle], default=0)
        assert horizon[cycle] == cycle - SampledTagger.LATENCY
        events.append((time, found.weight[cycle]))
    return events


def edges(samples):
    """Numbers of the first high samples."""
    return np.flatnonzero(np.diff(samples, prepend=0) > 0).tolist()


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("width", [1, 4, 9])
def test_an_edge_has_the_number_of_its_first_high_sample(bench, first, width):
    samples = np.zeros(80, int)
    samples[40 + first : 40 + first + width] = 1
    assert tag(bench, samples) == [(40 + first, 1)]


def test_every_pair_of_edges_in_a_cycle_is_kept(bench):
    for pattern in ((0, 2), (0, 3), (1, 3)):
        samples = np.zeros(80, int)
        samples[[40 + place for place in pattern]] = 1
        assert tag(bench, samples) == [(40 + place, 1) for place in pattern]


def test_sparse_random_edges_all_get_their_own_time(bench):
    rng = np.random.default_rng(1)
    samples = np.zeros(8000, int)
    # Pulses of one or two samples, never more than two in two cycles.
    for start in np.cumsum(rng.integers(5, 60, 200)):
        if start < 7990:
            samples[start : start + rng.integers(1, 3)] = 1
    assert tag(bench, samples) == [(time, 1) for time in edges(samples)]


def test_edges_that_come_too_fast_are_counted_and_never_made_up(bench):
    rng = np.random.default_rng(2)
    calm, wild = (rng.random(4000) < 0.1).astype(int), np.tile([0, 1], 200)
    samples = np.concatenate([calm, wild, calm])
    true = edges(samples)
    events = tag(bench, samples)
    times = [time for time, _ in events]
    assert times == sorted(times)
    assert set(times) <= set(true)
    assert sum(weight for _, weight in events) == len(true)
    assert max(weight for _, weight in events) == 2
    # An event of weight 2 stands for the edge at its time and for the next one.
    covered = [true[true.index(time) + i] for time, weight in events for i in range(weight)]
    assert covered == true
