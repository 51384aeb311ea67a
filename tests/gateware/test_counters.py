import random

import pytest

from keybeam_gateware.counters import SnapshotCounter


@pytest.mark.parametrize(("width", "parts"), [(2, 1), (5, 2), (6, 2), (6, 3), (8, 3)])
def test_copies_are_whole_at_every_carry_and_after_the_end(bench, width, parts):
    dut, rng = SnapshotCounter(width, part_bits=-(-width // parts)), random.Random(width)

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
                for _ in range(parts - 1):
                    await ctx.tick()
                    total, late = total + late[0], [late[1], 0]
                assert ctx.get(dut.value) == expected % (1 << width)

    bench.run(dut, testbench)
