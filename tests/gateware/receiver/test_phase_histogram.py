import numpy as np
import pytest

from keybeam.protocol.slot_phase import HISTOGRAM_BINS
from keybeam_gateware.receiver.phase_histogram import PhaseHistogram


async def read(ctx, dut, places):
    counts = []
    for place in places:
        ctx.set(dut.address, int(place))
        ctx.set(dut.read, 1)
        await ctx.tick()
        ctx.set(dut.read, 0)
        await ctx.tick().repeat(PhaseHistogram.READ_LATENCY - 1)
        counts.append(ctx.get(dut.count))
    return counts


async def feed(ctx, dut, phases):
    """One event a cycle, or none where the phase is negative; gives the phases that counted."""
    counted = []
    for phase in phases:
        ctx.set(dut.slot_valid, bool(phase >= 0))
        ctx.set(dut.slot_phase, max(0, int(phase)))
        await ctx.tick()
        if phase >= 0 and not ctx.get(dut.skipped):
            counted.append(int(phase))
    ctx.set(dut.slot_valid, 0)
    return counted


@pytest.mark.parametrize("density", [0.05, 1.0])
def test_events_are_counted_or_said_to_have_been_skipped(bench, density):
    rng = np.random.default_rng(4)
    phases = np.where(rng.random(2500) < density, rng.normal(2000, 15, 2500).astype(int), -1)
    dut = PhaseHistogram()
    places = np.arange(470, 530)

    async def testbench(ctx):
        ctx.set(dut.run, 1)
        counted = await feed(ctx, dut, phases)
        ctx.set(dut.run, 0)
        await feed(ctx, dut, phases[:50])
        assert not ctx.get(dut.skipped)
        expected = np.bincount(np.array(counted) // 4, minlength=HISTOGRAM_BINS)
        assert await read(ctx, dut, places) == expected[places].tolist()
        assert expected[places].sum() == len(counted)
        if density == 1.0:
            assert len(counted) == -(-phases.size // (PhaseHistogram.PAUSE + 1))
        else:
            assert len(counted) > 60

    bench.run(dut, testbench)


def test_reading_while_it_counts_disturbs_no_count(bench):
    rng = np.random.default_rng(5)
    dut = PhaseHistogram()
    totals = [0, 0]
    done = []

    async def events(ctx):
        ctx.set(dut.run, 1)
        for _ in range(4000):
            there, place = rng.random() < 0.3, int(rng.integers(2))
            ctx.set(dut.slot_valid, there)
            ctx.set(dut.slot_phase, 4 * place + 3)
            await ctx.tick()
            totals[place] += there and not ctx.get(dut.skipped)
        ctx.set(dut.slot_valid, 0)
        await ctx.tick().repeat(10)
        done.append(await read(ctx, dut, [0, 1]))

    async def reader(ctx):
        last = 0
        for _ in range(150):
            (count,) = await read(ctx, dut, [1])
            # What was counted up to the moment, less what is on its way.
            assert last <= count <= totals[1]
            assert totals[1] - count <= 3
            last = count
            await ctx.tick().repeat(int(rng.integers(1, 8)))

    bench.run(dut, events, reader)
    assert done == [totals]
    assert min(totals) > 100


def test_counts_stop_at_their_largest_value_and_are_cleared(bench):
    dut = PhaseHistogram(count_bits=4)

    async def testbench(ctx):
        ctx.set(dut.run, 1)
        await feed(ctx, dut, [4 * 1023] * 20 * (PhaseHistogram.PAUSE + 1))
        await feed(ctx, dut, [0] * 3 * (PhaseHistogram.PAUSE + 1))
        assert await read(ctx, dut, [1023, 0]) == [15, 3]
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        assert ctx.get(dut.busy)
        # Nothing counts while it is cleared, and that is said.
        assert await feed(ctx, dut, [4] * 1000) == []
        await ctx.tick().until(~dut.busy)
        await ctx.tick()
        assert await read(ctx, dut, [1023, 0, 1]) == [0, 0, 0]

    bench.run(dut, testbench)
