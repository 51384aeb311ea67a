"""What the data recovery withstands: long runs of a compiled one against a model of the line."""

import numpy as np
import pytest

from keybeam_gateware.line.data_recovery import DataRecovery
from keybeam_sim.compiled import CompiledBlock
from keybeam_sim.line import LineConditions, sample_line

BITS = 400_000
SETTLE = 1000
"""Bits until the phase has found its place for sure."""


@pytest.fixture(scope="module")
def recovery():
    return CompiledBlock(DataRecovery())


def recover(recovery, words):
    """Recovered bits, and cycles with none or two of them."""
    found = recovery.run(
        len(words),
        {"line": words, "cycle": np.arange(len(words)) % 4, "threshold": 8},
        ["recovered__count", "recovered__bits", "slipped", "signal"],
    )
    counts = found["recovered__count"].astype(int)
    pairs = np.stack([found["recovered__bits"] & 1, found["recovered__bits"] >> 1], axis=1)
    return pairs[np.arange(2) < counts[:, None]].astype(np.uint8), found


def compare(sent, received):
    """Bits compared, and how many of them are wrong; a bit too many or too few spoils the rest."""
    pattern = received[SETTLE : SETTLE + 64]
    windows = np.lib.stride_tricks.sliding_window_view(sent[SETTLE - 20 : SETTLE + 110], 64)
    place = SETTLE - 20 + int(np.argmin(np.count_nonzero(windows != pattern, axis=1)))
    count = min(received.size - SETTLE, sent.size - place)
    wrong = sent[place : place + count] != received[SETTLE : SETTLE + count]
    return count, np.count_nonzero(wrong)


def with_runs(rng, length):
    """Random bits, every tenth part of which is runs of equal bits as long as that."""
    bits = rng.integers(0, 2, BITS, dtype=np.uint8)
    if length:
        for begin in range(2000, BITS - length, 10 * length):
            bits[begin : begin + length] = bits[begin]
            bits[[begin - 1, begin + length]] = 1 - bits[begin]
    return bits


@pytest.mark.parametrize("offset", [-100e-6, 0.0, 100e-6])
@pytest.mark.parametrize("run", [0, 72])
@pytest.mark.parametrize("error_rate", [0.0, 1e-3])
def test_no_bit_is_lost_or_wrong_under_all_that_is_asked_for_at_once(
    recovery, offset, run, error_rate
):
    rng = np.random.default_rng(11)
    sent = with_runs(rng, run)
    conditions = LineConditions(
        offset=offset,
        ramp=np.copysign(0.4e-6, offset),
        jitter_ui=0.35,
        jitter_hz=10e6,
        random_ui=0.01,
        error_rate=error_rate,
        start=1.5,
    )
    words, _ = sample_line(sent, conditions, rng)
    received, found = recover(recovery, words)
    count, wrong = compare(sent, received)
    assert count > BITS - SETTLE - 200
    assert wrong == pytest.approx(error_rate * count, rel=0.2)
    # A slip a bit of drift, and no more but for jitter where the phase comes to a border of cycles.
    drift = abs(BITS * offset)
    slips = np.count_nonzero(found["slipped"][SETTLE:])
    if offset:
        assert drift - 1 <= slips <= 20 * drift
    assert (int(found["recovered__count"].sum()) - len(words)) == pytest.approx(
        -BITS * offset, abs=3
    )
    assert np.all(found["signal"][SETTLE:])


def test_three_times_the_jitter_does_harm(recovery):
    rng = np.random.default_rng(12)
    sent = with_runs(rng, 0)
    words, _ = sample_line(sent, LineConditions(jitter_ui=1.05, start=2), rng)
    received, _ = recover(recovery, words)
    assert compare(sent, received)[1] > 1000


@pytest.mark.parametrize("level", [0, 1])
def test_loss_of_signal_shows_within_a_microsecond(recovery, level):
    # 72 equal bits are no loss; a line that stays where it is for good is one.
    rng = np.random.default_rng(13)
    sent = np.concatenate(
        [
            rng.integers(0, 2, 2000),
            [1 - level],
            np.full(72, level),
            rng.integers(0, 2, 500),
            [1 - level],
            np.full(1000, level),
            rng.integers(0, 2, 500),
        ]
    ).astype(np.uint8)
    words, first = sample_line(sent, LineConditions(start=1), rng)
    _, found = recover(recovery, words)
    signal = found["signal"].astype(bool)
    changes = np.flatnonzero(np.diff(signal[100:])) + 101
    lost, back = changes
    cut = first[2000 + 1 + 72 + 500 + 1] // 4
    assert not signal[lost]
    assert (lost - cut) * 6.4e-3 < 1.0
    assert back - first[2000 + 1 + 72 + 500 + 1 + 1000] // 4 < 20
