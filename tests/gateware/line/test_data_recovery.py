from types import SimpleNamespace

import numpy as np
import pytest

from keybeam_gateware.line.data_recovery import DataRecovery
from keybeam_sim.compiled import CompiledBlock

SETTLE = 150
"""Bits after which the phase has found its place: eight votes, every second bit an edge."""


@pytest.fixture(scope="module")
def recovery():
    return CompiledBlock(DataRecovery())


def recover(recovery, words):
    """Bits, first samples modulo 16, and other outputs for the samples of a line."""
    ports = ["recovered__count", "recovered__bits", "recovered__starts", "slipped", "signal"]
    found = recovery.run(
        len(words),
        {"line": words, "cycle": np.arange(len(words)) % 4, "threshold": 8},
        ports,
    )
    count, pairs, both, slipped, signal = (found[port].astype(int).tolist() for port in ports)
    found = SimpleNamespace(
        count=count,
        bits=pairs,
        first=[start & 15 for start in both],
        second=[start >> 4 for start in both],
        slipped=slipped,
        signal=signal,
    )
    bits, starts = [], []
    for count, pair, *places in zip(
        found.count, found.bits, found.first, found.second, strict=True
    ):
        for place in range(count):
            bits.append(pair >> place & 1)
            starts.append(places[place])
    return np.array(bits), np.array(starts), found


def align(received, sent):
    """Number of the sent bit that the first received one after settling is."""
    pattern = received[SETTLE : SETTLE + 100]
    places = [
        place for place in range(SETTLE + 20) if np.array_equal(sent[place : place + 100], pattern)
    ]
    assert len(places) == 1
    return places[0]


@pytest.mark.parametrize(
    ("offset", "start", "jitter"),
    [
        (0.0, 0.5, 0.0),
        (0.0, 2.0, 0.2),
        (100e-6, 3.2, 0.15),
        (-100e-6, 0.8, 0.15),
        (2e-3, 1.3, 0.1),
        (-2e-3, 1.3, 0.1),
    ],
)
def test_every_bit_comes_out_once_with_its_first_sample(bench, recovery, offset, start, jitter):
    rng = np.random.default_rng(5)
    sent = rng.integers(0, 2, 2500)
    words, first = bench.sample_line(sent, offset=offset, start=start, jitter=jitter, rng=rng)
    bits, starts, found = recover(recovery, words)
    place = align(bits, sent)
    compared = bits.size - SETTLE
    assert compared > 2300
    assert np.array_equal(bits[SETTLE:], sent[place : place + compared])
    # Only an edge shows where a bit begins.
    edge = np.flatnonzero(np.diff(sent[place - 1 : place + compared]))
    assert np.array_equal(starts[SETTLE:][edge], first[place : place + compared][edge] % 16)
    borders = abs(np.diff(first[[place, place + compared - 1]] // 4)[0] - (compared - 1))
    assert sum(found.slipped[SETTLE:]) == pytest.approx(borders, abs=1)


@pytest.mark.parametrize("offset", [100e-6, -100e-6])
def test_clock_offset_makes_slips_and_loses_nothing(bench, recovery, offset):
    # A little more than a bit of drift: it crosses the border of a cycle once.
    rng = np.random.default_rng(6)
    sent = rng.integers(0, 2, 12_000)
    words, _ = bench.sample_line(sent, offset=offset, start=2.8 if offset > 0 else 3.2)
    bits, _, found = recover(recovery, words)
    assert sum(found.slipped[SETTLE:]) == 1
    assert (0 if offset > 0 else 2) in found.count[SETTLE:]
    place = align(bits, sent)
    assert np.array_equal(bits[SETTLE:], sent[place : place + bits.size - SETTLE])


def test_hysteresis_keeps_the_phase_under_single_displaced_edges(bench, recovery):
    sent = np.tile([0, 1], 400)
    words, _ = bench.sample_line(sent, start=1.0)
    samples = [word >> place & 1 for word in words for place in range(4)]
    # Every tenth edge comes a sample late: with equal votes for and against it would be followed.
    for edge in range(1 + 4 * 10, len(samples) - 4, 40):
        samples[edge] = samples[edge - 1]
    late = [sum(samples[4 * c + k] << k for k in range(4)) for c in range(len(words))]
    bits, starts, found = recover(recovery, late)
    assert not any(found.slipped)
    place = 1 if bits[SETTLE] != sent[SETTLE] else 0
    assert np.array_equal(bits[SETTLE:], np.resize(np.roll(sent, -place), bits.size)[SETTLE:])
    assert set(starts[SETTLE:] % 4) == {1, 2}


def test_signal_is_lost_without_edges_and_comes_back(recovery):
    timeout = 128
    words = [0b1100] * 40 + [0b1111] * 200 + [0b0011] * 40
    _, _, found = recover(recovery, words)
    signal = np.array(found.signal)
    changes = np.flatnonzero(np.diff(signal))
    assert not signal[0]
    assert len(changes) == 3
    up, down, again = changes
    assert up < 10
    # The last edge lies at the beginning of the quiet time.
    assert 40 + timeout <= down <= 40 + timeout + 6
    assert 240 <= again <= 250
