"""The emitted Verilog of the transmitter core against a plain model. Run by test_core.py."""

import json
import os
import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from keybeam.protocol.downlink import DownlinkFrame, FrameFlag, decode_frame, encode_frame
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.numbers import FRAME_CYCLES, FRAME_SLOTS
from keybeam.protocol.symbols import Intensity, Polarisation, map_random_bits
from keybeam_gateware import csr

SETTINGS = json.loads(os.environ["TRANSMITTER_CORE"])
ADDRESSES = SETTINGS["addresses"]
BUSES = {
    window: "bus" if window == "transmitter" else f"{window}_bus"
    for window in SETTINGS["addresses"]
}
LOG_SLOTS = SETTINGS["log_frames"] * FRAME_SLOTS
RUN_FRAMES = SETTINGS["run_frames"]
START = 0xABCD_EF01_2345
BLANK = [Intensity.INVALID << 2 | Polarisation.H] * 4
FIXED = Intensity.SIGNAL << 2 | Polarisation.A
PERIOD_PS = 6400
# Words of the log that a look-up may already call too old, and cycles it may be behind.
GUARD_SLOTS = 4 * 16


class Core:
    """Drives the core's ports; keeps what lanes and downlink showed in every cycle."""

    def __init__(self, dut, seed):
        self.dut = dut
        self.rng = random.Random(seed)
        self.lanes, self.line = [], []
        self.words = []

    async def reset(self):
        dut = self.dut
        buses = [f"{bus}__{strobe}" for bus in BUSES.values() for strobe in ("r_stb", "w_stb")]
        for name in (
            *("chips", "chip_valid", "ring", "ring_valid", "pps", "fault", "uplink"),
            *("payload__valid", "lookup__valid"),
            *buses,
        ):
            getattr(dut, name).value = 0
        dut.answer__ready.value = 1
        dut.message__ready.value = 1
        dut.rst.value = 1
        cocotb.start_soon(Clock(dut.clk, PERIOD_PS, unit="ps").start())
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0

    async def watch(self):
        while True:
            await RisingEdge(self.dut.clk)
            self.lanes.append(int(self.dut.lanes.value))
            self.line.append(int(self.dut.downlink.value))

    async def put(self, name, value):
        payload, valid, ready = (
            getattr(self.dut, f"{name}__{part}") for part in ("payload", "valid", "ready")
        )
        payload.value = value
        valid.value = 1
        await RisingEdge(self.dut.clk)
        while not int(ready.value):
            await RisingEdge(self.dut.clk)
        valid.value = 0

    async def feed_random(self, *, pauses=True):
        """Fresh words of chip A, with a pause now and then that starves the pattern."""
        pause = 0
        while True:
            word = self.rng.getrandbits(16)
            self.dut.chips.value = word
            self.dut.chip_valid.value = not pause
            if not pause:
                self.words.append(word)
            await RisingEdge(self.dut.clk)
            # Two start-up windows and the queue's filling pass without one.
            begins = pauses and len(self.words) > 2000 and self.rng.random() < 0.0005
            pause = self.rng.randrange(700) if begins else max(pause - 1, 0)

    async def feed_payload(self, data):
        for byte in data:
            await self.put("payload", byte)

    async def look_up(self, index):
        cocotb.start_soon(self.put("lookup", index))
        await RisingEdge(self.dut.clk)
        while not int(self.dut.answer__valid.value):
            await RisingEdge(self.dut.clk)
        return LookupStatus(int(self.dut.answer__payload.value) >> 4), int(
            self.dut.answer__payload.value
        ) & 15

    def bus(self, name):
        """Ports of the bus of a register, and its address and words."""
        window, register = name.split(".")
        ports = ("addr", "w_data", "w_stb", "r_stb", "r_data")
        return [getattr(self.dut, f"{BUSES[window]}__{port}") for port in ports], ADDRESSES[window][
            register
        ]

    async def write(self, name, value):
        (addr, w_data, w_stb, _, _), (address, size) = self.bus(name)
        for word in range(size):
            addr.value = address + word
            w_data.value = value >> 32 * word & 0xFFFF_FFFF
            w_stb.value = 1
            await RisingEdge(self.dut.clk)
        w_stb.value = 0
        await ClockCycles(self.dut.clk, csr.Bridge.LATENCY - 1)

    async def read(self, name):
        (addr, _, _, r_stb, r_data), (address, size) = self.bus(name)
        value = 0
        for word in range(size):
            addr.value = address + word
            r_stb.value = 1
            await RisingEdge(self.dut.clk)
            r_stb.value = 0
            await ClockCycles(self.dut.clk, csr.Bridge.LATENCY)
            value |= int(r_data.value) << 32 * word
        return value


def symbols_of_lanes(lanes):
    """The four symbols that five lanes of four slots show; None where the trigger is off."""
    trigger, *codes = (lanes >> 4 * lane & 15 for lane in range(5))
    assert not lanes >> 20, "a lane that the table leaves dark is lit"
    assert trigger in (0, 15)
    if not trigger:
        assert not any(codes)
        return None
    return [
        sum((code >> slot & 1) << (2, 3, 0, 1)[k] for k, code in enumerate(codes))
        for slot in range(4)
    ]


def follow(lanes, words):
    """What was sent in each cycle, from the words alone and from which cycles were blank.

    A blanked cycle shows vacuum and takes no bits; every other one shows the next word. Words
    that came while the queue was as full as it may be before the start are missing, all at one
    place.
    """
    nibbles = np.array(words)[:, np.newaxis] >> np.array([0, 4, 8, 12]) & 15
    fresh = map_random_bits(nibbles).tolist()
    shown = [symbols_of_lanes(word) for word in lanes]
    shown_blank = [Intensity.VACUUM << 2] * 4
    starts = [place for place in range(len(fresh)) if fresh[place : place + 20] == shown[:20]]
    (place,) = starts
    sent, missing = [], 0
    for cycle, symbols in enumerate(shown):
        if symbols != fresh[place] and symbols != shown_blank:
            assert not missing, "words are missing at more than one place"
            ahead = shown[cycle : cycle + 20]
            missing = next(
                skipped
                for skipped in range(1, len(fresh) - place)
                if fresh[place + skipped : place + skipped + 20] == ahead
            )
            place += missing
        if symbols == fresh[place]:
            sent.append(symbols)
            place += 1
        else:
            sent.append(BLANK)
    return sent


def frames_of(line, begin, count):
    assert set(line[begin:]) <= {0, 15}
    bits = np.array(line[begin : begin + count * FRAME_CYCLES], np.uint8) & 1
    return bits.reshape(count, FRAME_CYCLES)


async def check_look_ups(core, sent, indices):
    """After the run: every answer is the symbol sent, or rightly too old or too new."""
    first, end = START * FRAME_SLOTS, START * FRAME_SLOTS + 4 * len(sent)
    oldest = (
        max(first, end - LOG_SLOTS + GUARD_SLOTS)
        if RUN_FRAMES * FRAME_SLOTS > (LOG_SLOTS - GUARD_SLOTS)
        else first
    )
    seen = set()
    for index in indices:
        answer = await core.look_up(index)
        if index >= end:
            expected = (LookupStatus.TOO_NEW, 0)
        elif index < oldest:
            expected = (LookupStatus.TOO_OLD, 0)
        else:
            word, slot = divmod(index - first, 4)
            expected = (LookupStatus.FOUND, sent[word][slot])
        assert answer == expected, (index - first, answer, expected)
        seen.add(answer[0])
    return seen


@cocotb.test()
async def pattern_downlink_and_log(dut):
    core = Core(dut, 21)
    rng = random.Random(22)
    await core.reset()
    watch = cocotb.start_soon(core.watch())
    cocotb.start_soon(core.feed_random())
    message = rng.randbytes(700)
    cocotb.start_soon(core.feed_payload(message))

    assert await core.look_up(0) == (LookupStatus.TOO_NEW, 0)
    await core.write("transmitter.start_counter", START)
    await core.write("transmitter.stop_after", RUN_FRAMES)
    await core.write("transmitter.control", 1)
    assert await core.read("transmitter.start_counter") == START
    assert await core.read("log.size") == SETTINGS["log_frames"]
    await ClockCycles(dut.clk, FRAME_CYCLES + 1000)
    assert await core.read("transmitter.status") == 0b01
    # While the pattern runs: a slot sent a moment ago is there, one to come is not.
    await core.write("transmitter.snapshot", 1)
    assert await core.read("transmitter.frame") == START
    assert await core.read("transmitter.first_pulse_index") == START * FRAME_SLOTS
    early = [(slot, await core.look_up(START * FRAME_SLOTS + slot)) for slot in range(40, 60)]
    assert (await core.look_up(START * FRAME_SLOTS + 2 * FRAME_CYCLES))[0] == LookupStatus.TOO_NEW
    while await core.read("transmitter.status") != 0b10:
        await ClockCycles(dut.clk, 500)
    # One more frame's header tells of the underflow of the last one.
    total = (RUN_FRAMES + 1) * FRAME_CYCLES + 300
    while len(core.line) < total:
        await RisingEdge(dut.clk)
    watch.cancel()

    running = [place for place, lanes in enumerate(core.lanes) if lanes & 15]
    begin = running[0]
    assert running == list(range(begin, begin + RUN_FRAMES * FRAME_CYCLES))
    sent = follow(core.lanes[begin : begin + len(running)], core.words)
    for slot, (status, symbol) in early:
        assert (status, symbol) == (LookupStatus.FOUND, sent[slot // 4][slot % 4])
    blanked = [sent[cycle] is BLANK for cycle in range(len(sent))]
    assert 0 < sum(blanked) < len(sent) // 4

    # Line bit 0 of the first frame with symbols leaves with its slots 0 to 3.
    lines = frames_of(core.line, begin - FRAME_CYCLES, RUN_FRAMES + 1)
    received = b""
    for number, bits in enumerate(lines):
        frame = decode_frame(bits)
        flags = FrameFlag.RUNNING if number else FrameFlag(0)
        if number > 1 and any(blanked[(number - 2) * FRAME_CYCLES : (number - 1) * FRAME_CYCLES]):
            flags |= FrameFlag.UNDERFLOW
        counter = START + number - 1 if number else 0
        assert np.array_equal(bits, encode_frame(DownlinkFrame(counter, flags, frame.payload)))
        received += frame.payload
    assert received == message

    await core.write("pattern.snapshot", 1)
    assert await core.read("pattern.underflow") == 4 * sum(blanked)
    assert await core.read("pattern.flags") == 1
    offender = START * FRAME_SLOTS + 4 * blanked.index(True)
    assert await core.read("pattern.first_underflow") == offender
    await core.write("pattern.flags", 1)
    assert await core.read("pattern.flags") == 0

    first, end = START * FRAME_SLOTS, START * FRAME_SLOTS + 4 * len(sent)
    oldest = max(first, end - LOG_SLOTS + GUARD_SLOTS)
    places = [first, oldest, end]
    places += [first + 4 * cycle for cycle in range(len(sent)) if blanked[cycle]][-20:]
    indices = [place + step for place in places for step in range(-9, 9)]
    indices += [rng.randrange(first - FRAME_SLOTS, end + FRAME_SLOTS) for _ in range(150)]
    assert await check_look_ups(core, sent, [0, (1 << 64) - 1, *indices]) == {
        LookupStatus.FOUND,
        LookupStatus.TOO_OLD,
        LookupStatus.TOO_NEW,
    }


@cocotb.test()
async def other_modes_are_marked_until_cleared(dut):
    core = Core(dut, 23)
    await core.reset()
    watch = cocotb.start_soon(core.watch())
    cocotb.start_soon(core.feed_random(pauses=False))
    await core.write("pattern.mode", PatternMode.FIXED | FIXED << 3)
    await core.write("transmitter.control", 1)
    await ClockCycles(dut.clk, FRAME_CYCLES + 300)
    assert await core.look_up(400) == (LookupStatus.NOT_KEY, FIXED)
    await core.write("pattern.mode", PatternMode.KEY)
    await ClockCycles(dut.clk, FRAME_CYCLES)
    status, _ = await core.look_up(FRAME_SLOTS + 400)
    assert status == LookupStatus.NOT_KEY
    await core.write("pattern.not_key", 0b10)
    await ClockCycles(dut.clk, FRAME_CYCLES)
    status, symbol = await core.look_up(2 * FRAME_SLOTS + 400)
    assert (status, symbol >> 2 != Intensity.INVALID) == (LookupStatus.FOUND, True)
    watch.cancel()

    marked = FrameFlag.RUNNING | FrameFlag.NOT_KEY
    flags = [
        marked | PatternMode.FIXED << 4,
        marked | PatternMode.KEY << 4,
        FrameFlag.RUNNING,
    ]
    line = "".join(str(bits & 1) for bits in core.line)
    for counter, flag in enumerate(flags):
        header = encode_frame(DownlinkFrame(counter, flag, b""))[:160]
        assert "".join(map(str, header)) in line, (counter, flag)
    # Trigger and both lanes of the polarisation A; a signal pulse has neither intensity lane.
    lit = [lanes for lanes in core.lanes if lanes][: FRAME_CYCLES - 300]
    assert set(lit) == {0xFF00F}


@cocotb.test()
async def halting_and_faults_darken_the_lanes_at_once(dut):
    core = Core(dut, 24)
    await core.reset()
    cocotb.start_soon(core.feed_random(pauses=False))
    await core.write("pattern.lane_6", 1 << 8)
    await core.write("transmitter.control", 1)
    while not int(dut.lanes.value) & 15:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 700)
    idle = 15 << 24
    dut.fault.value = 1
    await ClockCycles(dut.clk, 1)
    dut.fault.value = 0
    await ClockCycles(dut.clk, 4)
    for _ in range(50):
        assert int(dut.lanes.value) == idle
        await RisingEdge(dut.clk)
    assert await core.read("pattern.flags") & 0b100
    offender = await core.read("pattern.first_fault")
    assert 4 * 600 < offender % FRAME_SLOTS < 4 * 800
    status, symbol = await core.look_up(offender + 40)
    assert symbol >> 2 == Intensity.INVALID, status
