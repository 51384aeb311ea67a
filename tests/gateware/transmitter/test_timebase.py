import random

import pytest

from keybeam.protocol.modes import StartCondition
from keybeam_gateware.transmitter.timebase import Timebase

CYCLES = 16


def watch(bench, changes, frames, **settings):
    """Frame counter, running and first of every cycle; `changes` are values of `run` by cycle."""
    dut = Timebase(frame_cycles=CYCLES)
    seen = []

    async def drive(ctx):
        for name, value in settings.items():
            ctx.set(getattr(dut, name), value)
        for number in range(frames * CYCLES):
            if number in changes:
                ctx.set(dut.run, changes[number])
            time = dut.time
            assert ctx.get(time.cycle) == number % CYCLES
            seen.append((ctx.get(time.frame), ctx.get(time.running), ctx.get(time.first)))
            await ctx.tick()

    bench.run(dut, drive)
    frames_seen = [seen[begin : begin + CYCLES] for begin in range(0, len(seen), CYCLES)]
    for cycles in frames_seen:
        # Within a frame nothing changes but the mark of the first cycle.
        assert len({(frame, running) for frame, running, _ in cycles}) == 1
        assert not any(first for _, _, first in cycles[1:])
    return [cycles[0] for cycles in frames_seen]


def test_counts_frames_from_reset(bench):
    assert watch(bench, {}, 4) == [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)]


@pytest.mark.parametrize("start", [0, 7, (1 << 48) - 2])
def test_starts_and_stops_at_borders_with_the_given_counter(bench, start):
    seen = watch(bench, {20: 1, 70: 0}, 7, start_counter=start)
    counters = [(start + frame) % (1 << 48) for frame in range(5)]
    assert seen == [
        (0, 0, 0),
        (1, 0, 0),
        (counters[0], 1, 1),
        (counters[1], 1, 0),
        (counters[2], 1, 0),
        (counters[3], 0, 0),
        (counters[4], 0, 0),
    ]


def test_short_pulses_of_run_change_nothing(bench):
    seen = watch(bench, {17: 1, 19: 0}, 4)
    assert [running for _, running, _ in seen] == [0, 0, 0, 0]
    seen = watch(bench, {2: 1, 17: 0, 19: 1}, 4)
    assert [running for _, running, _ in seen] == [0, 1, 1, 1]


@pytest.mark.parametrize("frames", [1, 3])
def test_stops_by_itself_until_run_was_low(bench, frames):
    seen = watch(bench, {0: 1, 7 * CYCLES: 0, 7 * CYCLES + 1: 1}, 9, stop_after=frames)
    running = [int(1 <= frame <= frames or frame >= 8) for frame in range(9)]
    assert [running for _, running, _ in seen] == running
    assert [frame for frame, (_, _, first) in enumerate(seen) if first] == [1, 8]


def test_finished_tells_a_stop_by_itself_from_one_that_was_asked_for(bench):
    dut = Timebase(frame_cycles=CYCLES)

    async def drive(ctx):
        ctx.set(dut.run, 1)
        ctx.set(dut.stop_after, 2)
        await ctx.tick().repeat(3 * CYCLES - 1)
        assert ctx.get(dut.time.running)
        assert not ctx.get(dut.finished)
        await ctx.tick()
        assert not ctx.get(dut.time.running)
        assert ctx.get(dut.finished)
        ctx.set(dut.run, 0)
        await ctx.tick()
        assert not ctx.get(dut.finished)
        ctx.set(dut.run, 1)
        await ctx.tick().repeat(CYCLES)
        assert ctx.get(dut.time.running)
        ctx.set(dut.run, 0)
        await ctx.tick().repeat(CYCLES)
        assert not ctx.get(dut.time.running)
        assert not ctx.get(dut.finished)

    bench.run(dut, drive)


def slots_of(time, ctx):
    return 4 * (ctx.get(time.frame) * (1 << 14) + ctx.get(time.cycle))


@pytest.mark.parametrize("place", range(4 * CYCLES))
def test_starts_at_the_border_after_an_edge_in_any_slot(bench, place):
    """The edge's index, and how long before the first slot it was; later edges do not matter."""
    dut = Timebase(frame_cycles=CYCLES)
    found = []

    async def drive(ctx):
        ctx.set(dut.start.condition, StartCondition.PPS)
        ctx.set(dut.start_counter, 1000)
        ctx.set(dut.pps, 0b1111)  # high from before: no edge
        await ctx.tick().repeat(2)
        ctx.set(dut.run, 1)
        await ctx.tick().repeat(2 * CYCLES)
        assert ctx.get(dut.start.armed)
        ctx.set(dut.pps, 0)
        cycle, slot = divmod(place, 4)
        await ctx.tick().repeat(CYCLES + cycle)
        index = slots_of(dut.time, ctx) + slot
        ctx.set(dut.pps, 0b1111 << slot & 0b1111)
        elapsed = -slot
        first_index = None
        while not ctx.get(dut.time.first):
            await ctx.tick()
            elapsed += 4
            # Another edge before the start, where there is time for one.
            ctx.set(dut.pps, 0 if elapsed < 8 else 0b1111)
            if elapsed >= 16 and first_index is None:
                first_index = ctx.get(dut.start.pps_index)
            assert elapsed <= 8 * CYCLES
        await ctx.tick().repeat(2)
        found.append((ctx.get(dut.time.frame), ctx.get(dut.time.cycle)))
        assert ctx.get(dut.start.pps_lead) == elapsed
        assert first_index == index
        assert elapsed >= 5 * 4 - slot
        assert elapsed <= 4 * CYCLES + 5 * 4
        assert not ctx.get(dut.start.armed)

    bench.run(dut, drive)
    assert found == [(1000, 2)]


def test_an_edge_before_it_was_told_to_run_does_not_start_it(bench):
    dut = Timebase(frame_cycles=CYCLES)

    async def drive(ctx):
        ctx.set(dut.start.condition, StartCondition.PPS)
        ctx.set(dut.pps, 0b1100)
        await ctx.tick()
        ctx.set(dut.pps, 0)
        await ctx.tick()
        ctx.set(dut.run, 1)
        await ctx.tick().repeat(3 * CYCLES)
        assert ctx.get(dut.start.armed)
        assert not ctx.get(dut.time.running)
        assert ctx.get(dut.start.pps_index) == 2
        ctx.set(dut.run, 0)
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.start.armed)

    bench.run(dut, drive)


@pytest.mark.parametrize("frame", [2, 3, 6])
def test_starts_with_the_frame_of_a_counter_which_goes_on(bench, frame):
    dut = Timebase(frame_cycles=CYCLES)
    rng = random.Random(frame)

    async def drive(ctx):
        ctx.set(dut.start.condition, StartCondition.FRAME)
        ctx.set(dut.start.frame, frame)
        ctx.set(dut.start_counter, rng.getrandbits(48))
        ctx.set(dut.run, 1)
        for number in range(8 * CYCLES):
            now = number // CYCLES
            assert ctx.get(dut.time.frame) == now
            assert ctx.get(dut.time.running) == (now >= frame)
            assert ctx.get(dut.time.first) == (number == frame * CYCLES)
            await ctx.tick()

    bench.run(dut, drive)


def test_a_frame_that_has_passed_is_not_waited_for_again(bench):
    dut = Timebase(frame_cycles=CYCLES)

    async def drive(ctx):
        ctx.set(dut.start.condition, StartCondition.FRAME)
        ctx.set(dut.start.frame, 1)
        await ctx.tick().repeat(2 * CYCLES)
        ctx.set(dut.run, 1)
        await ctx.tick().repeat(3 * CYCLES)
        assert not ctx.get(dut.time.running)
        assert ctx.get(dut.start.armed)

    bench.run(dut, drive)
