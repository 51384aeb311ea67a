"""The start of a SERDES: the loop first, then the lane; again from the start without lock."""

import random

from amaranth.sim import Simulator

from keybeam_gateware.primitives.serial_start import SerialStart

LOCK_CYCLES = 100


def run(unlocked):
    """Give (reset_all, reset_lane, ready) after each cycle of `unlocked`."""
    start, seen = SerialStart(lock_cycles=LOCK_CYCLES), []

    async def bench(ctx):
        for level in unlocked:
            ctx.set(start.unlocked, level)
            await ctx.tick()
            seen.append((ctx.get(start.reset_all), ctx.get(start.reset_lane), ctx.get(start.ready)))

    simulator = Simulator(start)
    simulator.add_clock(6.4e-9)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


def test_order_of_a_start():
    seen = run([1] * 150 + [0] * 400)
    order = list(dict.fromkeys(seen))
    assert order == [(1, 1, 0), (0, 1, 0), (0, 0, 0), (0, 0, 1)]
    released = seen.index((0, 1, 0))
    assert released >= 60
    assert LOCK_CYCLES - 1 <= seen.index((0, 0, 0)) - 150 <= LOCK_CYCLES + 1
    assert seen.index((0, 0, 1)) - seen.index((0, 0, 0)) >= 60


def test_the_lane_never_starts_without_a_whole_time_of_lock():
    print("seed 1")
    source = random.Random(1)
    unlocked = [source.random() < 1 / LOCK_CYCLES for _ in range(20_000)]
    starts, locked, ready_before = 0, 0, 0
    for level, (reset_all, reset_lane, ready) in zip(unlocked, run(unlocked), strict=True):
        locked = 0 if level or reset_all else locked + 1
        assert not (ready and reset_lane)
        assert not (ready and level)
        if ready and not ready_before:
            assert locked >= LOCK_CYCLES
            starts += 1
        ready_before = ready
    assert starts > 5
