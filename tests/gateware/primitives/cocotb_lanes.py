"""Runs in the simulator: words through the ECP5's lanes."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, Timer, ValueChange, with_timeout

SLOTS = 4
EDGE_CLOCK_PS = 3_200
WORDS = 64


async def start(dut):
    clock = Clock(dut.reference, EDGE_CLOCK_PS, unit="ps")
    clock.start()
    cocotb.start_soon(loop_back(dut))
    await restart(dut)
    return clock


async def loop_back(dut):
    """Hand the first line to the receiver, a quarter of a slot later."""
    dut.incoming.value = 0
    # At time 0 the lines may be unknown still: they are read from their first known level on.
    while True:
        if dut.lines.value.is_resolvable:
            dut.incoming.value = dut.lines.value.to_unsigned() & 1
        await ValueChange(dut.lines)
        await Timer(EDGE_CLOCK_PS // 8, unit="ps")


async def restart(dut, pause=4):
    """Hold the reset for some periods of the reference clock, and wait until the clocks run."""
    dut.reset.value = 1
    dut.word.value = 0
    for _ in range(pause):
        await RisingEdge(dut.reference)
    if dut.ready.value:
        await FallingEdge(dut.ready)
    dut.reset.value = 0
    await with_timeout(RisingEdge(dut.ready), 5, "us")
    for _ in range(4):
        await RisingEdge(dut.clock)


async def record_line(dut, slots, found):
    """The line in the middle of every slot: just before either edge of the edge clock."""
    await RisingEdge(dut.reference)
    await Timer(EDGE_CLOCK_PS // 4, unit="ps")
    for _ in range(slots):
        lines = dut.lines.value.to_unsigned()
        assert lines in (0, 3), "the two lanes do not send the same slot"
        found.append(lines & 1)
        await Timer(EDGE_CLOCK_PS // 2, unit="ps")


async def send(dut, words, samples):
    """Send words, and record what is sampled in the same cycles."""
    for word in words:
        await RisingEdge(dut.clock)
        dut.word.value = word
        await FallingEdge(dut.clock)
        await ReadOnly()
        received = dut.samples.value.to_unsigned()
        samples += [received >> slot & 1 for slot in range(SLOTS)]


def offsets(found, sent):
    """Where the sent slots stand within the found ones."""
    return [
        start
        for start in range(len(found) - len(sent) + 1)
        if found[start : start + len(sent)] == sent
    ]


async def exchange(dut, words):
    """Send words; gives the one place where they are on the line, and among the samples."""
    line, samples = [], []
    recorder = cocotb.start_soon(record_line(dut, SLOTS * (len(words) + 8), line))
    await send(dut, [*words, *[0] * 8], samples)
    await recorder
    sent = [word >> slot & 1 for word in words for slot in range(SLOTS)]
    on_line, sampled = offsets(line, sent), offsets(samples, sent)
    assert len(on_line) == 1, "the slots do not leave in order"
    assert len(sampled) == 1, "the slots do not arrive in order"
    return on_line[0], sampled[0]


@cocotb.test()
async def slot_0_leaves_first_and_arrives_lowest(dut):
    await start(dut)
    words = [random.randrange(1 << SLOTS) for _ in range(WORDS)]
    await exchange(dut, words)


@cocotb.test()
async def latency_is_the_same_after_every_start(dut):
    await start(dut)
    words = [random.randrange(1 << SLOTS) for _ in range(WORDS)]
    found = {await exchange(dut, words)}
    for pause in (5, 6, 7, 8):
        await restart(dut, pause)
        found.add(await exchange(dut, words))
    assert len(found) == 1


@cocotb.test()
async def lines_are_dark_until_the_clocks_are_ready(dut):
    await start(dut)
    dut.word.value = 0b1111
    dut.reset.value = 1
    await FallingEdge(dut.ready)
    dut.reset.value = 0
    for _ in range(8):
        await RisingEdge(dut.reference)
    while not dut.ready.value:
        await FallingEdge(dut.reference)
        assert dut.lines.value.to_unsigned() == 0
    await with_timeout(ValueChange(dut.lines), 1, "us")
    await Timer(EDGE_CLOCK_PS // 4, unit="ps")
    assert dut.lines.value.to_unsigned() == 3


@cocotb.test()
async def lines_go_dark_without_a_reference(dut):
    clock = await start(dut)
    dut.word.value = 0b1111
    for _ in range(16):
        await RisingEdge(dut.reference)
    assert dut.lines.value.to_unsigned() == 3
    clock.stop()
    await Timer(EDGE_CLOCK_PS, unit="ps")
    dut.clocks.pll0.lost.value = 1
    await Timer(EDGE_CLOCK_PS // 2, unit="ps")
    assert dut.lines.value.to_unsigned() == 0
    assert not dut.ready.value
    # And all begins anew when it comes back.
    dut.word.value = 0
    dut.clocks.pll0.lost.value = 0
    clock.start()
    await with_timeout(RisingEdge(dut.ready), 5, "us")
    await exchange(dut, [random.randrange(1 << SLOTS) for _ in range(WORDS)])
