"""What all channels share, through its registers."""

import pytest

from keybeam.protocol.records import TAGGED_CHANNELS, Channel
from keybeam_gateware import csr
from keybeam_gateware.time_tagger import TaggerShared

TAPS = 48


@pytest.fixture
def dut():
    return TaggerShared(chains=dict.fromkeys(TAGGED_CHANNELS, 1), taps=TAPS)


def address(dut, name):
    """Where a register is."""
    (found,) = (
        info.start for info in dut.bus.memory_map.all_resources() if str(info.path[-1][0]) == name
    )
    return found


async def write(ctx, dut, name, value):
    ctx.set(dut.bus.addr, address(dut, name))
    ctx.set(dut.bus.w_data, value)
    ctx.set(dut.bus.w_stb, 1)
    await ctx.tick()
    ctx.set(dut.bus.w_stb, 0)
    await ctx.tick().repeat(4)


async def read(ctx, dut, name):
    ctx.set(dut.bus.addr, address(dut, name))
    ctx.set(dut.bus.r_stb, 1)
    await ctx.tick()
    ctx.set(dut.bus.r_stb, 0)
    await ctx.tick().repeat(csr.Bridge.LATENCY - 1)
    value = ctx.get(dut.bus.r_data)
    await ctx.tick().repeat(4)
    return value


async def show_edge(ctx, dut, channel, code, falls=0):
    ctx.set(dut.codes[channel], code)
    ctx.set(dut.falls, falls << channel)
    ctx.set(dut.found, 1 << channel)
    await ctx.tick()
    ctx.set(dut.found, 0)
    await ctx.tick().repeat(9)


def test_codes_of_the_chosen_channel_are_counted_by_direction(bench, dut):
    async def testbench(ctx):
        await write(ctx, dut, "histogram_clear", 1)
        assert await read(ctx, dut, "histogram_status") == 1
        await ctx.tick().repeat(140)
        assert await read(ctx, dut, "histogram_status") == 0
        await write(ctx, dut, "histogram", Channel.AUX_2 | 1 << 4)
        for _ in range(3):
            await show_edge(ctx, dut, Channel.AUX_2, 21)
            await show_edge(ctx, dut, Channel.H, 21)
        await show_edge(ctx, dut, Channel.AUX_2, 22)
        await show_edge(ctx, dut, Channel.AUX_2, 21, falls=1)
        await write(ctx, dut, "histogram", Channel.AUX_2)
        await show_edge(ctx, dut, Channel.AUX_2, 21)
        await write(ctx, dut, "histogram_code", 20)
        # Each reading goes on to the next code.
        assert [await read(ctx, dut, "histogram_count") for _ in range(4)] == [0, 3, 1, 0]
        await write(ctx, dut, "histogram_code", 21 | 1 << 10)
        assert await read(ctx, dut, "histogram_count") == 1

    bench.run(dut, testbench)


def test_an_alarm_stays_until_it_is_cleared(bench, dut):
    async def testbench(ctx):
        ctx.set(dut.rate_alarm, 1 << Channel.D | 1 << Channel.LINE)
        await ctx.tick()
        ctx.set(dut.rate_alarm, 0)
        assert await read(ctx, dut, "alarms") == 1 << Channel.D | 1 << Channel.LINE
        await write(ctx, dut, "alarms", 1 << Channel.D)
        assert await read(ctx, dut, "alarms") == 1 << Channel.LINE

    bench.run(dut, testbench)


def test_pulser_and_channels_are_switched_and_what_was_built_is_told(bench, dut):
    async def testbench(ctx):
        assert await read(ctx, dut, "lines") == 1 | 1 << 2 | TAPS << 4
        assert (ctx.get(dut.pulser_run), ctx.get(dut.calibrate)) == (0, 0)
        await write(ctx, dut, "pulser", 1 | (1 << Channel.PPS) << 1)
        assert (ctx.get(dut.pulser_run), ctx.get(dut.calibrate)) == (1, 1 << Channel.PPS)

    bench.run(dut, testbench)
