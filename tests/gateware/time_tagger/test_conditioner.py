"""Delay, dead time and divider, compared with a plain model."""

import numpy as np
import pytest

from keybeam_gateware.time_tagger import EdgeConditioner

TIME_MODULO = 1 << 54
START = TIME_MODULO - (40 << 14)
"""The time runs over during the tests."""


def condition(bench, times, *, delay=0, dead_time=0, divider=1):
    """Times of events, and the numbers of edges that were left out, of edges at these times.

    Times are in fine steps since `START`, at most one a cycle; an edge is given in the cycle after
    it.
    """
    dut = EdgeConditioner()
    cycles = (int(times[-1]) >> 14) + 12
    valid, whole = np.zeros(cycles, int), np.zeros(cycles, object)
    for time in times:
        cycle = (int(time) >> 14) + 1
        assert not valid[cycle]
        valid[cycle], whole[cycle] = 1, (START + int(time)) % TIME_MODULO
    ticks = np.arange(cycles)
    earliest = [((START >> 14) + int(tick) - 1) % (1 << 40) for tick in ticks]
    seen = bench.play(
        dut,
        cycles,
        [
            (dut.edge.valid, valid.tolist()),
            (dut.edge.coarse, [int(each) >> 14 for each in whole]),
            (dut.edge.fine, [int(each) & 0x3FFF for each in whole]),
            (dut.earliest, earliest),
            (dut.delay, [delay] * cycles),
            (dut.dead_time, [dead_time] * cycles),
            (dut.divider, [divider] * cycles),
        ],
        {name: getattr(dut.events, name) for name in ("valid", "coarse", "fine", "horizon")}
        | {"dead": dut.dead, "divided": dut.divided},
    )
    half = TIME_MODULO // 2
    events, promised = [], -half
    for cycle in range(EdgeConditioner.LATENCY + 1, cycles):
        horizon = ((seen.horizon[cycle] << 14) - START + half) % TIME_MODULO - half
        if seen.valid[cycle]:
            time = seen.coarse[cycle] << 14 | seen.fine[cycle]
            events.append((time - START + half) % TIME_MODULO - half)
            assert events[-1] >= promised
        promised = max(promised, horizon)
    # The promise is a recent one.
    assert promised > ((cycles - 12) << 14) + min(delay, 0)
    return events, sum(seen.dead), sum(seen.divided)


def model(times, *, delay=0, dead_time=0, divider=1):
    """What shall come of it."""
    alive, last = [], None
    for time in times:
        if last is None or time - last >= dead_time:
            alive.append(int(time))
            last = time
    events = alive[:: max(divider, 1)]
    return [t + delay for t in events], len(times) - len(alive), len(alive) - len(events)


def edges(rng, count, longest):
    """Times of edges, one a cycle at most."""
    cycles = 3 + np.cumsum(rng.integers(1, longest, count))
    return (cycles << 14) + rng.integers(0, 1 << 14, count)


@pytest.mark.parametrize("delay", [0, 1, -1, 5_120_000, -5_120_000, 12_345, -(1 << 14)])
def test_delays_of_up_to_2_us_to_single_steps(bench, delay):
    times = edges(np.random.default_rng(1), 120, 8)
    assert condition(bench, times, delay=delay) == model(times, delay=delay)


@pytest.mark.parametrize("dead_ns", [0, 6.4, 20, 1000, 10_000])
def test_the_dead_time_is_exact_to_a_fine_step(bench, dead_ns):
    rng = np.random.default_rng(2)
    dead_time = round(dead_ns * (1 << 14) / 6.4)
    # Fewer of them where it takes longer.
    times = edges(rng, 4 if dead_time > 1 << 20 else 120, max(4, dead_time >> 14))
    # Edges exactly at the end of a dead time, and a step before.
    first = int(times[-1]) + dead_time + (3 << 14)
    if dead_time > 1 << 15:
        times = np.append(times, [first, first + dead_time - 1])
        second = first + 2 * dead_time
        times = np.append(times, [second, second + dead_time])
    assert condition(bench, times, dead_time=dead_time) == model(times, dead_time=dead_time)


@pytest.mark.parametrize("divider", [0, 1, 2, 7, 65535])
def test_every_nth_edge_becomes_an_event(bench, divider):
    times = edges(np.random.default_rng(3), 100, 3)
    assert condition(bench, times, divider=divider) == model(times, divider=divider)


def test_all_of_it_in_every_cycle(bench):
    rng = np.random.default_rng(4)
    times = edges(rng, 1000, 2)
    options = {"delay": -98_765, "dead_time": 3 * (1 << 14) - 5, "divider": 3}
    assert condition(bench, times, **options) == model(times, **options)


def test_a_long_silence_ends_every_dead_time(bench):
    # As many cycles as it takes for the compared bits to come round again.
    dead_time = (1 << 25) - 1
    times = np.array([5 << 14, (5 << 14) + (1 << 26) + (1 << 25) + 77, 1 << 27])
    assert condition(bench, times, dead_time=dead_time) == model(times, dead_time=dead_time)
