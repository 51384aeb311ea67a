import numpy as np
import pytest

from keybeam_gateware.time_tagger import EdgeComparison

HISTORY = 8


def compare(bench, fine, sampled, *, offset=0):
    """Edges that were unconfirmed and missed; both lists are of (cycle of arrival, slot)."""
    dut = EdgeComparison(HISTORY)
    cycles = max(cycle for cycle, _ in fine + sampled) + HISTORY + 4
    inputs = [(dut.offset, [offset] * cycles)]
    for port, edges in ((dut.edge, fine), (dut.sampled, sampled)):
        columns = np.zeros((3, cycles), int)
        for cycle, slot in edges:
            # The delay line's are anywhere in the slot.
            columns[:, cycle] = 1, slot // 4, slot % 4 << 12 | (77 if port is dut.edge else 0)
        inputs += zip((port.valid, port.coarse, port.fine), columns.tolist(), strict=True)
    seen = bench.play(dut, cycles, inputs, {"unconfirmed": dut.unconfirmed, "missed": dut.missed})
    return sum(seen.unconfirmed), sum(seen.missed)


@pytest.mark.parametrize("apart", [-1, 0, 1])
@pytest.mark.parametrize("offset", [0, 14, -9])
def test_edges_within_a_slot_are_the_same(bench, apart, offset):
    rng = np.random.default_rng(1)
    cycles = 5 + np.cumsum(rng.integers(2, 20, 60))
    slots = 4 * cycles + rng.integers(0, 4, 60)
    sampled = [(int(c), int(s)) for c, s in zip(cycles, slots, strict=True)]
    fine = [(c + 4, s - offset + apart) for c, s in sampled]
    assert compare(bench, fine, sampled, offset=offset) == (0, 0)


def test_each_edge_without_its_like_counts_once(bench):
    sampled = [(10 * n, 40 * n) for n in range(1, 30)]
    fine = [(cycle + 4, slot) for cycle, slot in sampled]
    assert compare(bench, fine[:10] + fine[13:], sampled) == (0, 3)
    assert compare(bench, fine, sampled[:20] + sampled[22:]) == (2, 0)
    shifted = [(cycle, slot + 2 * (slot == 400)) for cycle, slot in fine]
    assert compare(bench, shifted, sampled) == (1, 1)


def test_an_edge_confirms_one_other_only(bench):
    assert compare(bench, [(20, 60), (22, 61)], [(17, 61)]) == (1, 0)
