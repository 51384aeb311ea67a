"""Runs in the simulator: the emitted Verilog of the pattern against the model."""

import json
import os
import random
from enum import Enum

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from pattern_model import (
    FRAME_CYCLES,
    FRAME_WORDS,
    INVALID,
    LATENCY,
    SENT_LATENCY,
    SETTLED,
    Settings,
    Trace,
    check,
)
from scipy.stats import chisquare

from keybeam.protocol.lanes import (
    lane_table_address,
    one_hot_lane_table,
    sagnac_lane_table,
    time_bin_lane_table,
)
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.symbols import (
    Basis,
    Intensity,
    default_symbol_table,
    symbol_table,
)
from keybeam_gateware import csr

CONTENT = json.loads(os.environ["KEYBEAM_PATTERN"])
ADDRESSES, PLACES = CONTENT["addresses"], CONTENT["places"]
BITS, STEP = CONTENT["random_bits"], CONTENT["step"]
START = 0x1234_5678_9ABC
PERIOD_PS = 6400
READ_CYCLES = csr.Bridge.LATENCY + 2
SETTLE_CYCLES = csr.Bridge.LATENCY + 4
"""Cycles after which a read finds what was written."""
TAKEN, VALID = PLACES["taken"][0], PLACES["valid"][0]
FLAGS = {"underflow": 1, "unfit": 2, "fault": 4, "refused": 8}
NOT_KEY, LOCKED = 1 << 6, 1 << 7
SET, CLEAR = 1, 2
LOADED = set()
"""Tables that a test before this one has changed."""


class Source(Enum):
    """Lane tables to try."""

    ONE_HOT = 1
    TIME_BIN_1 = 2
    TIME_BIN_2 = 3
    TIME_BIN_16 = 4
    RANDOM = 5


class Bench:
    """Drives the pattern, feeds it random words, and keeps the trace."""

    def __init__(self, dut, seed):
        self.dut = dut
        self.rng = random.Random(seed)
        dut._log.info("seed %s", seed)
        self.trace = []
        self.starve = 0.0
        self.settings = Settings(map=default_symbol_table(BITS).tolist())

    async def begin(self):
        dut = self.dut
        for name in ("run", "fault", "bus__r_stb", "bus__w_stb", "bus__addr", "bus__w_data"):
            getattr(dut, name).value = 0
        dut.live.value = 1
        dut.start_counter.value = START
        dut.random__valid.value = 1
        dut.random__payload.value = self.rng.getrandbits(4 * BITS)
        Clock(dut.clk, PERIOD_PS, unit="ps").start()
        await self.reset()
        # A reset leaves tables as they are.
        for table in sorted(LOADED):
            defaults = {"map": self.settings.map, "lane": self.settings.lanes[:12].ravel()}
            await self.load(table, defaults[table])
        LOADED.clear()

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
        seen = int(dut.entry.value)
        self.trace.append(seen)
        valid = self.rng.random() >= self.starve
        if seen >> TAKEN & 1 or not seen >> VALID & 1:
            dut.random__payload.value = self.rng.getrandbits(4 * BITS)
            dut.random__valid.value = valid

    async def cycles(self, count):
        for _ in range(count):
            await self.cycle()

    async def until(self, number):
        """Let cycles pass, one at least, up to cycle `number` of a frame."""
        place, width = PLACES["time_cycle"]
        await self.cycle()
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
        await self.cycles(SETTLE_CYCLES)
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
        """Load a table from its first entry on."""
        LOADED.update({table} - {"user"})
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
        await self.cycles(3 * FRAME_CYCLES)
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
    await bench.run(3)
    trace, chosen = await bench.finish()
    ran = [c for c in chosen if trace["time_running"][c]]
    assert len(ran) >= 2 * FRAME_CYCLES
    status = await bench.read("status")
    assert status & 0b111 == mode
    assert bool(status & NOT_KEY) == (mode != PatternMode.KEY)
    assert await bench.read("flags") == 0
    assert await bench.read("layout") == BITS | 8 << 8


@cocotb.test()
@cocotb.parametrize(spacing=[1, 2, 4, 8, 16])
async def underflow(dut, spacing):
    bench = Bench(dut, 1000 + spacing)
    await bench.begin()
    await bench.set_spacing(spacing)
    await bench.settle()
    await bench.run(2)
    bench.starve = 1 - 0.5 / spacing
    await bench.run(4)
    bench.starve = 0.0
    trace, chosen = await bench.finish()
    blanked = [c for c in chosen if trace["blanked"][c + SENT_LATENCY]]
    assert 0 < len(blanked) < len(chosen)
    assert not any(trace["not_key"])
    await bench.write("snapshot", 1)
    assert await bench.read("underflow") == len(blanked) * max(4 // spacing, 1)
    assert await bench.read("flags") == FLAGS["underflow"]
    first = trace["sent_word"][blanked[0] + SENT_LATENCY]
    assert await bench.read("first_underflow") == 4 * first
    await bench.write("flags", FLAGS["underflow"])
    assert await bench.read("flags") == 0
    # A flag that was cleared takes the next offender.
    bench.starve = 1 - 0.5 / spacing
    bench.trace.clear()
    await bench.run(3)
    words, marks = Trace(bench.trace, PLACES)["sent_word"], Trace(bench.trace, PLACES)["blanked"]
    assert await bench.read("first_underflow") == 4 * words[marks.index(1)]
    assert await bench.read("flags") == FLAGS["underflow"]


@cocotb.test()
@cocotb.parametrize(spacing=[1, 16])
async def bits_become_unfit_in_every_cycle(dut, spacing):
    bench = Bench(dut, 2000 + spacing)
    await bench.begin()
    await bench.set_spacing(spacing)
    await bench.settle()
    await bench.run(2)
    for number in range(0, FRAME_CYCLES, STEP if spacing == 1 else 7):
        await bench.until(number)
        dut.live.value = 0
        await bench.cycles(1 + bench.rng.randrange(5) * (number % 3))
        dut.live.value = 1
        await bench.until(20)
        await bench.until(20)
        assert await bench.read("status") & NOT_KEY
        await bench.write("not_key", CLEAR)
        await bench.until(20)
        await bench.until(20)
        assert not await bench.read("status") & NOT_KEY
    trace, chosen = await bench.finish()
    # What is in a frame that can become key is fit: every word was, from its start on.
    for cycle, row in chosen.items():
        begin = trace.begin[cycle]
        if trace["time_running"][cycle] and not trace["not_key"][begin + SETTLED]:
            fit = all(trace["live"][begin + 2 : cycle + 3])
            assert fit or row == [INVALID] * 4
    assert await bench.read("flags") == FLAGS["underflow"] | FLAGS["unfit"]
    lost = trace["live"].index(0)
    index = await bench.read("first_unfit")
    assert index == 4 * (
        trace["time_frame"][lost - 2] * FRAME_WORDS + trace["time_cycle"][lost - 2]
    )
    await bench.write("flags", FLAGS["underflow"] | FLAGS["unfit"])
    assert await bench.read("flags") == 0


@cocotb.test()
async def not_key_is_cleared_only_when_key_can_be_made(dut):
    bench = Bench(dut, 3000)

    async def latched():
        await bench.until(30)
        await bench.until(30)
        return bool(await bench.read("status") & NOT_KEY)

    await bench.begin()
    await bench.settle()
    await bench.run(2)
    assert not await latched()
    await bench.write("not_key", SET)
    assert await latched()
    await bench.write("not_key", CLEAR)
    assert not await latched()
    await bench.set_mode(PatternMode.FIXED, 5)
    assert await latched()
    await bench.write("not_key", CLEAR)
    assert await latched()
    # The request in mode FIXED is not kept for mode KEY.
    await bench.set_mode(PatternMode.KEY)
    assert await latched()
    dut.live.value = 0
    await bench.write("not_key", CLEAR)
    assert await latched()
    dut.live.value = 1
    assert await latched()
    await bench.write("not_key", SET | CLEAR)
    assert await latched()
    await bench.write("not_key", CLEAR)
    assert not await latched()
    # Bits that become unfit after the request win.
    await bench.until(5)
    dut.live.value = 0
    await bench.write("not_key", CLEAR)
    await bench.cycles(5)
    dut.live.value = 1
    assert await latched()
    bench.settings.fixed = 5
    await bench.finish()


@cocotb.test()
@cocotb.parametrize(spacing=[1, 4])
async def fault_in_every_cycle(dut, spacing):
    bench = Bench(dut, 4000 + spacing)
    await bench.begin()
    await bench.set_spacing(spacing)
    await bench.set_lanes()
    await bench.settle()
    await bench.run(3)
    for number in range(0, FRAME_CYCLES, STEP if spacing == 1 else 5):
        await bench.until(number)
        dut.fault.value = 1
        await bench.cycles(1 if number % 4 else bench.rng.randrange(1, 90))
        dut.fault.value = 0
        await bench.cycles(FRAME_CYCLES + 50)
    trace, _ = await bench.finish()
    assert await bench.read("flags") == FLAGS["fault"]
    index = await bench.read("first_fault")
    assert index == 4 * trace["sent_word"][trace["fault"].index(1) + 1]
    await bench.write("flags", FLAGS["fault"])
    assert await bench.read("flags") == 0
    idle = bench.settings.idle
    for cycle, fault in enumerate(trace["fault"][:-1]):
        if fault:
            levels = [trace[f"lanes_lane_{lane}"][cycle + 1] for lane in range(8)]
            assert levels == [15 * level for level in idle[:8]]
            assert trace["serial"][cycle + 1] == 0xFFFF * idle[8]


@cocotb.test()
async def mode_change_in_every_cycle(dut):
    bench = Bench(dut, 5000)
    await bench.begin()
    bench.settings.user = [bench.rng.getrandbits(16) for _ in range(7)]
    await bench.load("user", bench.settings.user)
    await bench.write("user_length", 7)
    await bench.settle()
    await bench.run(2)
    modes = list(PatternMode)
    writes = [(-100, PatternMode.KEY)]
    for number in range(0, FRAME_CYCLES, STEP):
        await bench.until(number)
        mode = PatternMode.KEY if number % 3 == 2 else bench.rng.choice(modes)
        writes.append((len(bench.trace), mode))
        await bench.set_mode(mode, 9)
        if number % 5 == 0:
            await bench.write("not_key", CLEAR)
        await bench.cycles(FRAME_CYCLES)
    trace, _ = await bench.finish()
    seen = set()
    for begin in trace.whole_frames():
        mode = trace["mode"][begin + SETTLED]
        done = [m for cycle, m in writes if cycle <= begin - 4]
        perhaps = [m for cycle, m in writes if begin - 4 < cycle <= begin + 1]
        assert mode in done[-1:] + perhaps
        seen.add(mode)
    assert len(seen) == len(modes)
    assert len(set(trace["not_key"])) == 2


@cocotb.test()
async def reset_in_every_cycle(dut):
    bench = Bench(dut, 6000)
    await bench.begin()
    for number in range(0, FRAME_CYCLES, STEP):
        bench.settings.fixed = 5
        await bench.set_mode(PatternMode.FIXED if number % 2 else PatternMode.KEY, 5)
        await bench.run(1)
        await bench.cycles(FRAME_CYCLES // 2)
        await bench.until(number)
        bench.check()
        dut.rst.value = 1
        await bench.cycle()
        bench.trace.clear()
        await bench.cycles(2)
        after = Trace(bench.trace, PLACES)
        for name in ("lanes", "serial", "sent_valid", "not_key", "mode", "time_running"):
            assert not any(after[name]), name
        dut.run.value = 0
        dut.rst.value = 0
        bench.trace.clear()
        assert await bench.read("flags") == 0
        await bench.cycles(SENT_LATENCY)
        assert not any(Trace(bench.trace, PLACES)["sent_valid"])
        bench.trace.clear()
    await bench.run(4)
    await bench.finish()


@cocotb.test()
async def lanes_are_switched_off_at_once(dut):
    bench = Bench(dut, 7000)
    await bench.begin()
    await bench.set_mode(PatternMode.FIXED, 3)
    await bench.settle()
    await bench.run(3)
    names = [f"lanes_lane_{lane}" for lane in range(8)]
    assert [Trace(bench.trace, PLACES)[name][-1] for name in names] == [15, 0, 0, 15, 15, 0, 0, 0]
    await bench.write("lane_0", 0)
    await bench.write("serial_lane", 0)
    await bench.cycles(4)
    bench.trace.clear()
    await bench.cycles(FRAME_CYCLES)
    # Other settings, and switching on, wait until the pattern has stopped.
    await bench.write("lane_0", 1 << 8 | 1 << 7)
    await bench.cycles(FRAME_CYCLES)
    trace = Trace(bench.trace, PLACES)
    assert not any(trace["lanes_lane_0"])
    assert not any(trace["serial"])
    assert set(trace["lanes_lane_3"]) == {15}
    dut.run.value = 0
    await bench.cycles(3 * FRAME_CYCLES)
    assert Trace(bench.trace, PLACES)["lanes_lane_0"][-1] == 15


@cocotb.test()
async def tables_are_loaded_and_read_back(dut):
    bench = Bench(dut, 8000)
    await bench.begin()
    rng = bench.rng
    sizes = {"map": (1 << BITS, 4), "user": (1024, 16), "lane": (192, 12)}
    LOADED.update({"map", "lane"})
    for name, (size, width) in sizes.items():
        count = min(size, 200)
        first = rng.randrange(size - count + 1)
        entries = [rng.getrandbits(width) for _ in range(count)]
        await bench.write(f"{name}_address", first)
        for entry in entries:
            await bench.write(f"{name}_entry", entry)
        assert await bench.read(f"{name}_address") == first + count
        for place in rng.sample(range(count), 16):
            await bench.write(f"{name}_address", first + place)
            assert await bench.read(f"{name}_entry") == entries[place]
            assert await bench.read(f"{name}_entry") == entries[place]
    assert await bench.read("flags") == 0

    # Entries of INVALID, those behind a table, and all entries of a running pattern are refused.
    refused = {"map": 1 << BITS, "user": 1024, "lane": lane_table_address(12, 0)}
    for name, address in refused.items():
        await bench.write(f"{name}_address", address)
        await bench.write(f"{name}_entry", 1)
        assert await bench.read("flags") == FLAGS["refused"]
        assert await bench.read(f"{name}_address") == address
        await bench.write("flags", FLAGS["refused"])
        assert await bench.read("flags") == 0
    await bench.run(2)
    assert await bench.read("status") & LOCKED
    for name in sizes:
        await bench.write(f"{name}_address", 0)
        before = await bench.read(f"{name}_entry")
        await bench.write(f"{name}_entry", before ^ 1)
        assert await bench.read("flags") == FLAGS["refused"]
        assert await bench.read(f"{name}_entry") == before
        await bench.write("flags", FLAGS["refused"])
    dut.run.value = 0
    await bench.cycles(3 * FRAME_CYCLES)
    assert not await bench.read("status") & LOCKED
    await bench.write("map_entry", 7)
    await bench.write("map_address", 0)
    assert await bench.read("map_entry") == 7
    assert await bench.read("flags") == 0


@cocotb.test()
@cocotb.parametrize(source=list(Source))
async def lane_tables_of_other_sources(dut, source):
    bench = Bench(dut, 9000)
    await bench.begin()
    spacing = 4
    if source is Source.ONE_HOT:
        lanes = one_hot_lane_table()
    elif source is Source.RANDOM:
        lanes = np.array([[bench.rng.getrandbits(12) for _ in range(16)] for _ in range(16)])
    else:
        spacing = int(source.name.removeprefix("TIME_BIN_"))
        lanes = time_bin_lane_table(spacing)
    bench.settings.lanes = lanes
    await bench.load("lane", lanes[:12].ravel())
    await bench.set_spacing(spacing)
    await bench.set_lanes()
    bench.starve = 0.1
    await bench.settle()
    await bench.run(3)
    await bench.finish()


@cocotb.test()
@cocotb.parametrize(log2_slots=[0, 1, 2, 3, 6, 16])
async def marker(dut, log2_slots):
    bench = Bench(dut, 1)
    await bench.begin()
    if log2_slots != 16:
        await bench.write("marker", log2_slots)
    await bench.settle()
    await bench.run(3)
    trace = Trace(bench.trace, PLACES)
    interval = min(1 << log2_slots, 4 * FRAME_CYCLES)
    for cycle in range(LATENCY, trace.length):
        first = 4 * trace["time_cycle"][cycle - LATENCY]
        marked = [slot for slot in range(4) if (first + slot) % interval == 0]
        assert trace["marker"][cycle] == sum(1 << slot for slot in marked)


@cocotb.test()
async def statistics_of_the_symbols(dut):
    """Over a million pulses on Verilator: words in, symbols and lanes out, and how often each."""
    bench = Bench(dut, 20261122)
    await bench.begin()
    intensity = {Intensity.SIGNAL: 0.5, Intensity.DECOY: 0.25, Intensity.VACUUM: 0.25}
    basis = {Basis.RECTILINEAR: 0.9, Basis.DIAGONAL: 0.1}
    table = symbol_table(intensity, basis, BITS, nearest=True)
    await bench.load("map", table)
    await bench.settle()
    dut.run.value = 1
    await bench.cycles(CONTENT["statistics_cycles"] + FRAME_CYCLES)
    assert await bench.read("flags") == 0
    trace = Trace(bench.trace, PLACES)
    sent = np.array(
        [s for s, v in zip(trace["sent_symbols"], trace["sent_valid"], strict=True) if v]
    )
    symbols = (sent[:, None] >> 4 * np.arange(4) & 15).ravel()
    words = [w for w, t in zip(trace["word"], trace["taken"], strict=True) if t][: len(sent)]
    mask = (1 << BITS) - 1
    fields = np.array([word >> BITS * slot & mask for word in words for slot in range(4)])
    assert np.array_equal(symbols, table[fields])

    # The lanes, from the first slot on, show the same symbols.
    begin = trace["sent_valid"].index(1) - SENT_LATENCY + LATENCY
    lanes = np.array(trace["lanes"][begin : begin + len(sent)])
    bits = lanes[:, None, None] >> (4 * np.arange(8) + np.arange(4)[:, None]) & 1
    entries = (bits.reshape(-1, 8) << np.arange(8)).sum(axis=1)
    assert np.array_equal(entries, sagnac_lane_table()[symbols, 0] & 0xFF)

    expected = np.bincount(table, minlength=16) / len(table) * len(symbols)
    counted = np.bincount(symbols, minlength=16)
    possible = expected > 0
    assert not counted[~possible].any()
    probability = chisquare(counted[possible], expected[possible]).pvalue
    dut._log.info("%d symbols, chi-square p = %.3f", len(symbols), probability)
    assert probability > 1e-3
    if BITS == 12:
        assert len(symbols) >= 1_000_000
        diagonal = (symbols >> 1 & 1).mean()
        assert abs(diagonal - 0.1) < 0.002
