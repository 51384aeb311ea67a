import random

import pytest

from keybeam_gateware.counters import SnapshotCounter


@pytest.mark.parametrize("width", [5, 6])
def test_copies_are_whole_at_every_carry_and_after_the_end(bench, width):
    dut, rng = SnapshotCounter(width), random.Random(width)

    async def testbench(ctx):
        # A copy has all increments but those of its own cycle and the one before.
        total, late = 0, [0, 0]
        for _ in range(600):
            increment, snapshot = rng.randrange(4), rng.random() < 0.3
            ctx.set(dut.increment, increment)
            ctx.set(dut.snapshot, snapshot)
            await ctx.tick()
            expected = total + late[0]
            total, late = total + late[0], [late[1], increment]
            if snapshot:
                ctx.set(dut.snapshot, 0)
                ctx.set(dut.increment, 0)
                await ctx.tick()
                total, late = total + late[0], [late[1], 0]
                assert ctx.get(dut.value) == expected % (1 << width)

    bench.run(dut, testbench)
