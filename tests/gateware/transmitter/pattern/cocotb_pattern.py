"""Runs in the simulator: the emitted Verilog of the pattern against the model. See test_pattern.py."""

import json
import os
import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from pattern_model import FRAME_CYCLES, Settings, Trace, check

from keybeam.protocol.modes import PatternMode

CONTENT = json.loads(os.environ["KEYBEAM_PATTERN"])
ADDRESSES, PLACES = CONTENT["addresses"], CONTENT["places"]
START = 0x1234_5678_9ABC
PERIOD_PS = 6400
READ_CYCLES = 4
TAKEN = PLACES["taken"][0]


class Bench:
    """Drives the pattern, feeds it random words, and keeps the trace."""

    def __init__(self, dut, seed):
        self.dut = dut
        self.rng = random.Random(seed)
        dut._log.info("seed %s", seed)
        self.trace = []
        self.starve = 0.0
        self.clock = None
        self.settings = Settings()

    async def begin(self):
        dut = self.dut
        for name in ("run", "fault", "bus__r_stb", "bus__w_stb", "bus__addr", "bus__w_data"):
            getattr(dut, name).value = 0
        dut.live.value = 1
        dut.start_counter.value = START
        dut.random__valid.value = 1
        dut.random__payload.value = self.rng.getrandbits(16)
        Clock(dut.clk, PERIOD_PS, unit="ps").start()
        await self.reset()

    async def reset(self):
        """Reset for some cycles; the trace begins anew."""
        self.dut.rst.value = 1
        for _ in range(3):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self.trace.clear()

    async def cycle(self):
        """Let a cycle pass."""
        dut = self.dut
        await RisingEdge(dut.clk)
        seen = int(dut.trace.value)
        self.trace.append(seen)
        valid = self.rng.random() >= self.starve
        if seen >> TAKEN & 1 or not seen >> TAKEN - 1 & 1:
            dut.random__payload.value = self.rng.getrandbits(16)
            dut.random__valid.value = valid

    async def cycles(self, count):
        for _ in range(count):
            await self.cycle()

    async def until(self, number):
        """Let cycles pass up to cycle `number` of a frame."""
        place, width = PLACES["time_cycle"]
        while self.trace[-1] >> place & (1 << width) - 1 != (number - 1) % FRAME_CYCLES:
            await self.cycle()

    async def write(self, name, value):
        address, size = ADDRESSES[name]
        for word in range(size):
            self.dut.bus__addr.value = address + word
            self.dut.bus__w_data.value = value >> 32 * word & 0xFFFF_FFFF
            self.dut.bus__w_stb.value = 1
            await self.cycle()
        self.dut.bus__w_stb.value = 0

    async def read(self, name):
        address, size = ADDRESSES[name]
        value = 0
        for word in range(size):
            self.dut.bus__addr.value = address + word
            self.dut.bus__r_stb.value = 1
            await self.cycle()
            self.dut.bus__r_stb.value = 0
            gathered = 0
            for _ in range(READ_CYCLES):
                await self.cycle()
                gathered |= int(self.dut.bus__r_data.value)
            value |= gathered << 32 * word
        return value

    async def load(self, table, entries):
        await self.write(f"{table}_address", 0)
        for entry in entries:
            await self.write(f"{table}_entry", int(entry))

    async def set_mode(self, mode, symbol=0):
        self.settings.fixed = symbol
        await self.write("mode", mode | symbol << 3)

    async def set_spacing(self, spacing):
        self.settings.spacing = spacing
        await self.write("spacing", spacing.bit_length() - 1)

    async def set_lanes(self):
        """Random settings of all lanes."""
        rng, settings = self.rng, self.settings
        settings.delay = [rng.randrange(64) for _ in range(9)]
        settings.invert, settings.idle = ([rng.randrange(2) for _ in range(9)] for _ in range(2))
        settings.delay[rng.randrange(9)] = 63
        settings.delay[rng.randrange(9)] = 0
        settings.enable = [int(rng.random() < 0.8) for _ in range(9)]
        for lane in range(9):
            value = settings.delay[lane] | settings.invert[lane] << 6
            value |= settings.enable[lane] << 7 | settings.idle[lane] << 8
            await self.write(f"lane_{lane}" if lane < 8 else "serial_lane", value)

    async def settle(self):
        """Let settings be taken up, and begin the trace there."""
        await self.cycles(2 * FRAME_CYCLES)
        self.trace.clear()

    async def run(self, frames):
        self.dut.run.value = 1
        await self.cycles(frames * FRAME_CYCLES)

    async def finish(self):
        """Stop, and let everything come out that is under way."""
        self.dut.run.value = 0
        await self.cycles(4 * FRAME_CYCLES)
        return self.check()

    def check(self):
        trace = Trace(self.trace, PLACES)
        chosen = check(trace, self.settings)
        return trace, chosen


@cocotb.test()
@cocotb.parametrize(mode=list(PatternMode), spacing=[1, 2, 4, 8, 16])
async def mode_and_spacing(dut, mode, spacing):
    bench = Bench(dut, 100 * mode + spacing)
    await bench.begin()
    rng = bench.rng
    bench.settings.user = [rng.getrandbits(16) for _ in range(rng.randrange(1, 90))]
    await bench.load("user", bench.settings.user)
    await bench.write("user_length", len(bench.settings.user))
    await bench.set_mode(mode, rng.randrange(12))
    await bench.set_spacing(spacing)
    await bench.set_lanes()
    await bench.settle()
    await bench.run(4)
    trace, chosen = await bench.finish()
    ran = [c for c in chosen if trace["time_running"][c]]
    assert len(ran) >= 3 * FRAME_CYCLES
    assert await bench.read("status") & 0b111 == mode
    assert await bench.read("flags") == 0
