"""The emitted Verilog of the transmitter core against a plain model. Run by test_core.py."""

import json
import os
import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from keybeam.protocol.downlink import DownlinkFrame, FrameFlag, decode_frame, encode_frame
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FRAME_CYCLES, FRAME_SLOTS
from keybeam.protocol.symbols import Intensity, Polarisation, map_random_bits

SETTINGS = json.loads(os.environ["TRANSMITTER_CORE"])
ADDRESSES = SETTINGS["addresses"]
LOG_SLOTS = SETTINGS["log_frames"] * FRAME_SLOTS
RUN_FRAMES = SETTINGS["run_frames"]
START = 0xABCD_EF01_2345
BLANK = [Intensity.INVALID << 2 | Polarisation.H] * 4
PERIOD_PS = 6400
# Words of the log that a look-up may already call too old, and cycles it may be behind.
GUARD_SLOTS, LAG_SLOTS = 4 * 16, 4 * 8


class Core:
    """Drives the core's ports; keeps what lanes and downlink showed in every cycle."""

    def __init__(self, dut, seed):
        self.dut = dut
        self.rng = random.Random(seed)
        self.lanes, self.line = [], []
        self.words = []

    async def reset(self):
        dut = self.dut
        for name in (
            "random__valid",
            "payload__valid",
            "lookup__valid",
            "bus__r_stb",
            "bus__w_stb",
        ):
            getattr(dut, name).value = 0
        dut.answer__ready.value = 1
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

    async def feed_random(self):
        """Fresh words, with a pause now and then that starves the pattern."""
        while True:
            word = self.rng.getrandbits(64)
            await self.put("random", word)
            self.words.append(word)
            if self.rng.random() < 0.003:
                for _ in range(self.rng.randrange(12)):
                    await RisingEdge(self.dut.clk)

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

    async def write(self, name, value):
        address, size = ADDRESSES[name]
        for word in range(size):
            self.dut.bus__addr.value = address + word
            self.dut.bus__w_data.value = value >> 32 * word & 0xFFFF_FFFF
            self.dut.bus__w_stb.value = 1
            await RisingEdge(self.dut.clk)
        self.dut.bus__w_stb.value = 0
        await RisingEdge(self.dut.clk)

    async def read(self, name):
        address, size = ADDRESSES[name]
        value = 0
        for word in range(size):
            self.dut.bus__addr.value = address + word
            self.dut.bus__r_stb.value = 1
            await RisingEdge(self.dut.clk)
            self.dut.bus__r_stb.value = 0
            await RisingEdge(self.dut.clk)
            value |= int(self.dut.bus__r_data.value) << 32 * word
        return value


def symbols_of_lanes(lanes):
    """The four symbols that five lanes of four slots show; None where the trigger is off."""
    trigger, *codes = (lanes >> 4 * lane & 15 for lane in range(5))
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

    A blanked cycle shows vacuum and takes no bits; every other one shows the next 16 bits.
    """
    nibbles = np.array([word >> 4 * place & 15 for word in words for place in range(16)])
    fresh = map_random_bits(nibbles).reshape(-1, 4).tolist()
    place, sent = 0, []
    shown_blank = [Intensity.VACUUM << 2] * 4
    for shown in map(symbols_of_lanes, lanes):
        if place < len(fresh) and shown == fresh[place]:
            sent.append(fresh[place])
            place += 1
        else:
            assert shown == shown_blank
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
    assert seen == set(LookupStatus)


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
    await core.write("start_counter", START)
    await core.write("stop_after", RUN_FRAMES)
    await core.write("control", 1)
    assert await core.read("start_counter") == START
    assert await core.read("log") == SETTINGS["log_frames"]
    for _ in range(FRAME_CYCLES + 1000):
        await RisingEdge(dut.clk)
    assert await core.read("status") == 0b01
    # While the pattern runs: a slot sent a moment ago is there, one to come is not.
    await core.write("snapshot", 1)
    assert await core.read("frame") == START
    assert await core.read("first_pulse_index") == START * FRAME_SLOTS
    early = [(slot, await core.look_up(START * FRAME_SLOTS + slot)) for slot in range(40, 60)]
    assert (await core.look_up(START * FRAME_SLOTS + 2 * FRAME_CYCLES))[0] == LookupStatus.TOO_NEW
    while await core.read("status") != 0b10:
        for _ in range(500):
            await RisingEdge(dut.clk)
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

    await core.write("snapshot", 1)
    assert await core.read("underflow") == 4 * sum(blanked)
    assert await core.read("flags") == 1
    await core.write("flags", 1)
    assert await core.read("flags") == 0

    first, end = START * FRAME_SLOTS, START * FRAME_SLOTS + 4 * len(sent)
    oldest = max(first, end - LOG_SLOTS + GUARD_SLOTS)
    places = [first, oldest, end]
    places += [first + 4 * cycle for cycle in range(len(sent)) if blanked[cycle]][-20:]
    indices = [place + step for place in places for step in range(-9, 9)]
    indices += [rng.randrange(first - FRAME_SLOTS, end + FRAME_SLOTS) for _ in range(150)]
    await check_look_ups(core, sent, [0, (1 << 64) - 1, *indices])


@cocotb.test()
async def not_key_stays_until_reset(dut):
    core = Core(dut, 23)
    await core.reset()
    watch = cocotb.start_soon(core.watch())
    await core.write("control", 0b10)
    assert await core.read("control") == 0b10
    await core.write("control", 0)
    assert await core.read("control") == 0b10
    header = 160
    for _ in range(header + 20):
        await RisingEdge(dut.clk)
    expected = encode_frame(DownlinkFrame(0, FrameFlag.NOT_KEY, b""))[:header].tolist()
    line = [bits & 1 for bits in core.line]
    assert any(line[shift : shift + header] == expected for shift in range(12))
    watch.cancel()
    await core.reset()
    assert await core.read("control") == 0
