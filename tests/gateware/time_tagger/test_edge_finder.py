"""Edges at any picosecond through the delay line's twin: none lost, none twice."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.primitives.portable import DelayLine
from keybeam_gateware.time_tagger import EdgeFinder

TAPS = 128
PERIOD = 6400


class Bench(wiring.Component):
    """Delay lines that all see the same signal, and the finder behind them."""

    changes: In(2)
    first_ps: In(range(PERIOD))
    second_ps: In(range(PERIOD))
    rising: In(1)
    falling: In(1)
    found: Out(1)
    code: Out(16)
    falls: Out(1)

    def __init__(self, delays):
        self.delays = delays
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.finder = finder = EdgeFinder(chains=len(self.delays), taps=TAPS)
        for number, delays in enumerate(self.delays):
            m.submodules[f"line_{number}"] = line = DelayLine(delays)
            m.d.comb += [
                line.changes.eq(self.changes),
                line.first_ps.eq(self.first_ps),
                line.second_ps.eq(self.second_ps),
                finder.pictures[number].eq(line.taps),
            ]
        for name in ("rising", "falling"):
            m.d.comb += getattr(finder, name).eq(getattr(self, name))
        for name in ("found", "code", "falls"):
            m.d.comb += getattr(self, name).eq(getattr(finder, name))
        return m


def by_cycle(changes, cycles):
    """Number of changes in each cycle, and the first two times in it."""
    columns = np.zeros((3, cycles), int)
    for change in changes:
        cycle, time = divmod(int(change), PERIOD)
        columns[0, cycle] += 1
        columns[columns[0, cycle], cycle] = time
    return columns.tolist()


def find(bench, delays, changes, *, rising=1, falling=0):
    """Cycle of the picture, code and direction of every edge that was found."""
    cycles = max(changes) // PERIOD + EdgeFinder.LATENCY + 6
    dut = Bench(delays)
    counts, first, second = by_cycle(changes, cycles)
    seen = bench.play(
        dut,
        cycles,
        [
            (dut.changes, counts),
            (dut.first_ps, first),
            (dut.second_ps, second),
            (dut.rising, [rising] * cycles),
            (dut.falling, [falling] * cycles),
        ],
        {"found": dut.found, "code": dut.code, "falls": dut.falls},
    )
    # The picture that ends a cycle shows in the next one.
    return [
        (int(cycle) - EdgeFinder.LATENCY, seen.code[cycle], seen.falls[cycle])
        for cycle in np.flatnonzero(seen.found)
    ]


def times(found, delays):
    """Time of each edge in picoseconds, from what is known of the lines.

    A code of one line is the number of taps whose delay is below the edge's age; of two lines,
    the sum.
    """
    ordered = np.sort(np.concatenate(delays))
    ages = [(ordered[code - 1] + ordered[code]) / 2 for _, code, _ in found]
    return np.array([cycle * PERIOD for cycle, _, _ in found]) - ages


@pytest.mark.parametrize("chains", [1, 2])
@pytest.mark.parametrize("offset", [0, 3200])
def test_every_edge_is_found_once_at_its_time(bench, lines, chains, offset):
    rng = np.random.default_rng(chains)
    delays = [lines.delays(TAPS, rng) + 90 * chain for chain in range(chains)]
    # Rising edges 7 ns apart or more, pulses of 2 ns or more; and many at the borders of periods.
    gaps = rng.integers(7000, 20000, 250)
    rises = np.cumsum(gaps)
    near = rng.random(250) < 0.5
    border = np.round(rises / PERIOD) * PERIOD + rng.integers(-60, 60, 250) + offset
    rises = np.where(near, border, rises).astype(int)
    rises = rises[np.concatenate([[True], np.diff(rises) >= 7000])]
    rises = rises[np.concatenate([[True], np.diff(rises) >= 7000])]
    falls = rises + rng.integers(2000, 4500, len(rises))
    changes = np.sort(np.concatenate([rises, falls]))
    found = find(bench, delays, changes.tolist())
    assert len(found) == len(rises)
    # Half a bin at the widest, and the disorder of the taps.
    assert np.abs(times(found, delays) - rises).max() < 150


@pytest.mark.parametrize("chains", [1, 2])
def test_edges_7_ns_apart_do_not_mix_in_long_lines(bench, lines, chains):
    rng = np.random.default_rng(chains + 10)
    # Each picture shows two edges, and the second line shows the later one later.
    delays = [lines.delays(TAPS, rng, mean_ps=9000 / TAPS) + 150 * n for n in range(chains)]
    rises = 20_000 + 7000 * np.arange(220)
    changes = np.sort(np.concatenate([rises, rises + 3000]))
    found = find(bench, delays, changes.tolist())
    assert len(found) == len(rises)
    assert np.abs(times(found, delays) - rises).max() < 150


def test_edges_in_every_cycle_are_all_found(bench, lines):
    rng = np.random.default_rng(5)
    delays = [lines.delays(TAPS, rng)]
    rises = 20_000 + 6400 * np.arange(100) + rng.integers(-300, 300, 100)
    changes = np.sort(np.concatenate([rises, rises + 3000]))
    found = find(bench, delays, changes.tolist())
    assert len(found) == 100
    assert np.abs(times(found, delays) - rises).max() < 150


def test_both_edges_of_a_pulse_are_found(bench, lines):
    rng = np.random.default_rng(6)
    delays = [lines.delays(TAPS, rng)]
    changes = np.cumsum(rng.integers(7000, 15000, 120))
    found = find(bench, delays, changes.tolist(), rising=1, falling=1)
    assert [falls for _, _, falls in found] == [0, 1] * 60
    assert np.abs(times(found, delays) - changes).max() < 150


def test_the_twin_shows_what_the_plain_model_shows(bench, lines):
    rng = np.random.default_rng(7)
    delays = lines.delays(32, rng)
    dut = DelayLine(delays.tolist())
    changes = np.cumsum(rng.integers(3300, 9000, 200))
    cycles = int(changes[-1] // PERIOD)
    columns = by_cycle(changes[changes < cycles * PERIOD], cycles)
    inputs = list(zip((dut.changes, dut.first_ps, dut.second_ps), columns, strict=True))
    seen = bench.play(dut, cycles, inputs, {"taps": dut.taps})
    expected = [lines.picture(changes, delays, cycle * PERIOD) for cycle in range(2, cycles)]
    assert seen.taps[2:] == expected
