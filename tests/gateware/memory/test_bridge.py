"""Requests between two clocks: in order, none lost that was taken."""

import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from keybeam_gateware.memory.bridge import LineBridge

LINES, LINE_WORDS, ADDRESS_BITS = 16, 8, 6
SYNC_S, DRAM_S = 6.4e-9, 13.3e-9


@pytest.mark.parametrize("stall", [0.3, 0.7])
def test_reads_see_the_writes_taken_before_them(stall):
    rng = random.Random(f"{stall}")
    dut = LineBridge(LINES, LINE_WORDS, ADDRESS_BITS)
    expected, answers = {}, deque()
    counts = {"refused": 0, "read": 0, "written": 0}

    async def user(ctx):
        port, outstanding = dut.port, False
        while not ctx.get(port.passed):
            assert not ctx.get(port.write.taken)
            await ctx.tick()
        for cycle in range(6000):
            write = cycle % 8 == 7 if stall < 0.5 else rng.random() < 0.8
            read = not outstanding and rng.random() < 0.1
            address, line = rng.randrange(LINES), rng.getrandbits(16 * LINE_WORDS)
            ctx.set(port.write.enable, write)
            ctx.set(port.write.address, address)
            ctx.set(port.write.line, line)
            ctx.set(port.read.enable, read)
            ctx.set(port.read.address, rng.randrange(LINES))
            if read and ctx.get(port.read.taken):
                assert not write
                answers.append(expected.get(ctx.get(port.read.address), 0))
                outstanding = True
            if write and ctx.get(port.write.taken):
                expected[address] = line
                counts["written"] += 1
            elif write:
                counts["refused"] += 1
            if ctx.get(port.read.answered):
                assert ctx.get(port.read.line) == answers.popleft()
                outstanding = False
                counts["read"] += 1
            await ctx.tick()

    async def memory(ctx):
        native, lines, time = dut.native, {}, 0
        commands, reads = deque(), deque()
        ctx.set(dut.initialised, 1)
        await ctx.tick("dram").repeat(20)
        ctx.set(dut.passed, 1)
        while True:
            time += 1
            ctx.set(native.command.ready, rng.random() >= stall)
            due = commands.popleft() if commands and commands[0][0] <= time else None
            wants = due is not None and due[1]
            ctx.set(native.write.ready, wants)
            if wants:
                assert ctx.get(native.write.valid)
                lines[due[2]] = ctx.get(native.write.payload)
            elif due is not None:
                reads.append((time + 6, lines.get(due[2], 0)))
            answers_now = bool(reads) and reads[0][0] <= time
            ctx.set(native.read.valid, answers_now)
            if answers_now:
                ctx.set(native.read.payload, reads.popleft()[1])
            if ctx.get(native.command.valid & native.command.ready):
                command = native.command.payload
                commands.append((time + 3, ctx.get(command.write), ctx.get(command.address)))
            await ctx.tick("dram")

    simulator = Simulator(dut)
    simulator.add_clock(SYNC_S)
    simulator.add_clock(DRAM_S, domain="dram")
    simulator.add_testbench(user)
    simulator.add_testbench(memory, background=True)
    simulator.run()
    assert counts["read"] > 2
    assert counts["written"] > 100
    # A memory that keeps up with a line every eight cycles never refuses one.
    assert (counts["refused"] > 0) == (stall > 0.5)
