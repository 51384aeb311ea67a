import numpy as np

from keybeam.protocol.tagger import HISTOGRAM_PAUSE
from keybeam_gateware.time_tagger import CodeHistogram

ENTRIES = 32


def test_codes_are_counted_read_and_cleared(bench):
    rng = np.random.default_rng(1)
    dut = CodeHistogram(ENTRIES)
    counts = np.zeros(ENTRIES, int)
    found = (rng.random(3000) < 0.4).tolist()
    codes = rng.integers(0, ENTRIES, 3000).tolist()

    async def read(ctx):
        result = []
        for address in range(ENTRIES):
            ctx.set(dut.address, address)
            await ctx.tick().repeat(CodeHistogram.READ_LATENCY)
            result.append(ctx.get(dut.count))
        return result

    async def testbench(ctx):
        ctx.set(dut.run, 1)
        quiet = 0
        for there, code in zip(found, codes, strict=True):
            ctx.set(dut.found, there)
            ctx.set(dut.code, code)
            if quiet:
                quiet -= 1
            elif there:
                counts[code] += 1
                quiet = HISTOGRAM_PAUSE
            await ctx.tick()
        ctx.set(dut.run, 0)
        await ctx.tick().repeat(HISTOGRAM_PAUSE + 1)
        assert not ctx.get(dut.busy)
        assert await read(ctx) == counts.tolist()
        # It goes on from there.
        ctx.set(dut.run, 1)
        ctx.set(dut.found, 1)
        ctx.set(dut.code, 5)
        await ctx.tick().repeat(2 * (HISTOGRAM_PAUSE + 1))
        counts[5] += 2
        ctx.set(dut.run, 0)
        await ctx.tick().repeat(HISTOGRAM_PAUSE + 1)
        assert await read(ctx) == counts.tolist()
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        assert ctx.get(dut.busy)
        await ctx.tick().until(~dut.busy)
        await ctx.tick()
        assert await read(ctx) == [0] * ENTRIES

    bench.run(dut, testbench)


def test_the_same_code_again_and_again_loses_no_count(bench):
    dut = CodeHistogram(ENTRIES)

    async def testbench(ctx):
        ctx.set(dut.run, 1)
        ctx.set(dut.found, 1)
        ctx.set(dut.code, 9)
        await ctx.tick().repeat(100 * (HISTOGRAM_PAUSE + 1))
        ctx.set(dut.run, 0)
        await ctx.tick().repeat(HISTOGRAM_PAUSE + 1)
        ctx.set(dut.address, 9)
        await ctx.tick().repeat(CodeHistogram.READ_LATENCY)
        assert ctx.get(dut.count) == 100

    bench.run(dut, testbench)
