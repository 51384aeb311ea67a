"""The emitted Verilog of the source of random bits against what its chips sent.

Run by test_source.py.
"""

import json
import os
import random
from types import SimpleNamespace

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from keybeam.protocol.modes import RandomOrigin
from keybeam.randomness import TRAINING_PATTERN
from keybeam_gateware import csr

SETTINGS = json.loads(os.environ["RANDOM_SOURCE"])
REGISTERS = SETTINGS["registers"]
FIFO_WORDS = SETTINGS["fifo_words"]
PERIOD_PS = 6400
STARTUP = 2 * 256 + 40
MICROSECOND = 157
"""Fabric clock cycles, rounded up."""
STARTING, RELEASED, STOPPED = 1, 2, 3


class Source:
    """Drives both chips, takes words, and keeps what was sent and taken, cycle by cycle."""

    def __init__(self, dut, seed):
        self.dut = dut
        self.rng = random.Random(seed)
        self.cycle = 0
        self.sends = {"a": True, "b": True, "ring": True}
        self.word_of = {name: (lambda: self.rng.getrandbits(16)) for name in self.sends}
        self.sent = {name: [] for name in self.sends}
        self.taken = []
        self.running = False
        self.pause = lambda: False
        self.was = SimpleNamespace(ready=False, index=0)

    async def start(self):
        dut = self.dut
        for name in ("bus__r_stb", "bus__w_stb", "bus__addr", "bus__w_data"):
            getattr(dut, name).value = 0
        for name in ("chips", "chip_valid", "ring", "ring_valid", "running", "word_index"):
            getattr(dut, name).value = 0
        dut.random__ready.value = 0
        dut.rst.value = 1
        cocotb.start_soon(Clock(dut.clk, PERIOD_PS, unit="ps").start())
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        cocotb.start_soon(self._live())

    async def _live(self):
        dut = self.dut
        while True:
            words = {}
            for name, sends in self.sends.items():
                words[name] = self.word_of[name]() if sends else 0
                if sends:
                    self.sent[name].append(words[name])
            ready = self.running and not self.pause()
            dut.chips.value = words["a"] | words["b"] << 16
            dut.chip_valid.value = self.sends["a"] | self.sends["b"] << 1
            dut.ring.value = words["ring"]
            dut.ring_valid.value = int(self.sends["ring"])
            dut.running.value = int(self.running)
            dut.random__ready.value = int(ready)
            dut.word_index.value = self.cycle
            await RisingEdge(dut.clk)
            if ready and int(dut.random__valid.value):
                self.taken.append(
                    SimpleNamespace(
                        bits=int(dut.random__payload.value),
                        live=int(dut.live.value),
                        cycle=self.cycle,
                    )
                )
            self.cycle += 1

    async def wait(self, cycles):
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)

    async def write(self, name, **values):
        """Write a register, whose fields are 0 unless they are given."""
        address, size, places = REGISTERS[name]
        number = sum(value << places[field][0] for field, value in values.items())
        for word in range(size):
            self.dut.bus__addr.value = address + word
            self.dut.bus__w_data.value = number >> 32 * word & 0xFFFF_FFFF
            self.dut.bus__w_stb.value = 1
            await RisingEdge(self.dut.clk)
        self.dut.bus__w_stb.value = 0
        await self.wait(csr.Bridge.LATENCY + 1)

    async def read(self, name):
        """Fields of a register."""
        address, size, places = REGISTERS[name]
        number = 0
        for word in range(size):
            self.dut.bus__addr.value = address + word
            self.dut.bus__r_stb.value = 1
            await RisingEdge(self.dut.clk)
            self.dut.bus__r_stb.value = 0
            # Data stand for one cycle, some cycles later, and are 0 in every other.
            for _ in range(csr.Bridge.LATENCY + 2):
                await RisingEdge(self.dut.clk)
                number |= int(self.dut.bus__r_data.value) << 32 * word
        fields = {
            field: number >> place & (1 << width) - 1 for field, (place, width) in places.items()
        }
        return SimpleNamespace(**fields)

    async def count(self, name):
        await self.write("snapshot", take=1)
        return (await self.read(name)).count

    async def release(self):
        """Wait until the start-up tests have ended."""
        await self.wait(STARTUP)

    def bits(self, since=0):
        return [word.bits for word in self.taken[since:]]


async def started(dut, seed):
    source = Source(dut, seed)
    await source.start()
    return source


def place_of(part, whole, begin=0):
    """Where some words stand in a row within others."""
    for place in range(begin, len(whole) - len(part) + 1):
        if whole[place : place + len(part)] == part:
            return place
    raise AssertionError("these words were never sent")


def losses(taken, sent):
    """Numbers of words left out; checks that all others come once and in order."""
    place = place_of(taken[:4], sent)
    left_out = []
    for word in taken:
        begin = place
        while sent[place] != word:
            place += 1
            assert place < len(sent), "a word was repeated, moved or made up"
        left_out.append(place - begin)
        place += 1
    return left_out


@cocotb.test()
async def chip_a_starts_by_itself_and_every_bit_arrives_once(dut):
    source = await started(dut, 1)
    source.sends |= {"b": False, "ring": False}
    await source.wait(500)
    status = await source.read("status")
    assert (status.state_a, status.live, status.alarm) == (STARTING, 0, 0)
    source.running = True
    await source.wait(1)
    assert not source.taken, "nothing passes before the start-up test has ended"
    source.running = False
    await source.wait(2)
    assert (await source.read("flags")).underflow == 1
    await source.write("flags", underflow=1)
    await source.release()
    assert (await source.read("status")).state_a == RELEASED
    source.running = True
    await source.wait(800)
    # The first that comes was sent after two whole windows; the lanes' delays add a word.
    begin = place_of(source.bits()[:4], source.sent["a"])
    assert begin >= 2 * 256 - 1
    source.pause = lambda: source.rng.random() < 0.1
    await source.wait(1200)
    # What came before the pattern ran, and found the FIFO half full, was dropped.
    assert not any(losses(source.bits(FIFO_WORDS // 2 + 8), source.sent["a"]))
    assert len(source.taken) > 1700
    assert all(word.live for word in source.taken)
    flags = await source.read("flags")
    assert (flags.overflow, flags.underflow) == (0, 0)
    assert (await source.read("origins_used")).origins == 1 << RandomOrigin.CHIP_A


@cocotb.test()
async def cutoffs_are_those_of_the_host(dut):
    source = await started(dut, 2)
    for name, expected in SETTINGS["cutoffs"].items():
        assert vars(await source.read(f"cutoffs_{name}")) == expected
    assert await source.read("cutoffs_b") == await source.read("cutoffs_a")


@cocotb.test()
async def both_chips_are_combined_and_a_pause_pairs_nothing_twice(dut):
    source = await started(dut, 3)
    await source.write("origin", origin=RandomOrigin.BOTH)
    await source.release()
    source.running = True
    await source.wait(100)
    for name in ("a", "b"):
        source.sends[name] = False
        await source.wait(40)
        source.sends[name] = True
        await source.wait(200)
    sent_a, sent_b = source.sent["a"], source.sent["b"]
    taken = source.taken

    def matches(a, b, place, count):
        row = taken[place : place + count]
        return all(sent_a[a + n] ^ sent_b[b + n] == word.bits for n, word in enumerate(row))

    # Where in the chips' words the first pair stands.
    begin = next(p for p in range(400, 700) if matches(p, p, 0, 4))
    a = b = begin
    moved = 0
    for place in range(len(taken) - 4):
        if not matches(a, b, place, 1):
            a, b = next(
                (x, y)
                for x in range(a, a + 60)
                for y in range(b, b + 60)
                if matches(x, y, place, 4)
            )
            moved += 1
        a, b = a + 1, b + 1
    # Each pause loses words of the other chip, once those of the small FIFO are used up.
    assert 1 <= moved <= 4
    assert all(word.live for word in taken)
    assert (await source.read("flags")).unpaired == 1
    assert 2 * 24 <= await source.count("unpaired") <= 2 * 40


@cocotb.test()
async def a_stop_of_the_chip_of_a_microsecond_is_bridged(dut):
    source = await started(dut, 4)
    await source.release()
    await source.wait(FIFO_WORDS // 2)
    await source.write("control", clear_marks=1)
    source.running = True
    await source.wait(50)
    source.sends["a"] = False
    await source.wait(MICROSECOND)
    source.sends["a"] = True
    await source.wait(50)
    assert (await source.read("flags")).underflow == 0
    level = await source.read("level")
    assert level.low <= FIFO_WORDS // 2 - MICROSECOND + 8
    assert level.high >= FIFO_WORDS // 2 - 4
    await source.write("control", clear_marks=1)
    assert (await source.read("level")).high < FIFO_WORDS // 2 - MICROSECOND + 8

    # A second one in a row is too much: the bits run out, and this is known.
    source.sends["a"] = False
    await source.wait(MICROSECOND)
    before = len(source.taken)
    source.sends["a"] = True
    await source.wait(100)
    assert len(source.taken) > before + 50
    assert all(word.live for word in source.taken)
    # Words were dropped before the pattern ran, none since.
    assert not any(losses(source.bits(FIFO_WORDS // 2 + 8), source.sent["a"]))
    gaps = [
        now.cycle - then.cycle - 1
        for then, now in zip(source.taken, source.taken[1:], strict=False)
    ]
    flags = await source.read("flags")
    assert (flags.underflow, flags.overflow) == (1, 0)
    assert await source.count("starved") == sum(gaps) > 0
    first = (await source.read("first_underflow")).pulse_index
    starved = next(word.cycle + 1 for word, gap in zip(source.taken, gaps, strict=False) if gap)
    assert first == 4 * (starved + 1)
    await source.write("flags", underflow=1)
    assert (await source.read("flags")).underflow == 0
    assert (await source.read("status")).live == 1


@cocotb.test()
async def overflow_drops_whole_words_and_counts_them(dut):
    source = await started(dut, 5)
    source.sends |= {"b": False, "ring": False}
    await source.release()
    await source.wait(FIFO_WORDS)
    # What finds no room before the pattern runs is no overflow.
    assert (await source.read("flags")).overflow == 0
    assert (await source.read("level")).high <= FIFO_WORDS // 2
    source.running = True
    await source.wait(20)
    source.pause = lambda: True
    begin = source.cycle
    await source.wait(FIFO_WORDS)
    first = (await source.read("first_overflow")).pulse_index // 4
    assert begin + FIFO_WORDS // 2 - 20 < first < begin + FIFO_WORDS // 2 + 20
    source.pause = lambda: False
    await source.wait(FIFO_WORDS + 50)
    assert (await source.read("level")).high in (FIFO_WORDS - 1, FIFO_WORDS)
    assert (await source.read("flags")).overflow == 1
    source.sends["a"] = False
    await source.wait(2 * FIFO_WORDS)
    dropped = await source.count("dropped")
    assert sum(losses(source.bits(), source.sent["a"])) == dropped > 0
    assert await source.count("taken") == len(source.taken)
    await source.write("flags", overflow=1)
    assert (await source.read("flags")).overflow == 0


@cocotb.test()
async def each_injected_fault_raises_its_alarm_and_stops_the_bits(dut):
    source = await started(dut, 6)
    await source.release()
    source.running = True
    await source.wait(50)
    for fault, lanes, alarm, bit in (
        (1, 0b0100, "repetition_lanes", 2),
        (2, 0b0010, "repetition_lanes", 1),
        (2, 0b1111, "repetition_symbols", 0),
        (3, 0b1111, "proportion_symbols", 0),  # found by the lanes earlier, but for the cut-off
        (3, 0b0001, "proportion_lanes", 0),
        (4, 0b1111, "repetition_words", 0),
        (4, 0b1000, "repetition_groups", 3),
        (5, 0b0001, "repetition_pairs", 0),
    ):
        assert (await source.read("status")).live == 1
        cutoffs = SETTINGS["cutoffs"]["a"]
        if alarm == "proportion_symbols":
            cutoffs = cutoffs | {"proportion_bits": 1024}
        await source.write("cutoffs_a", **cutoffs)
        before = source.cycle
        await source.write("injection_a", fault=fault, lanes=lanes)
        await source.wait(2)
        assert int(dut.live.value) == 0, "live ends with the injection"
        cycles = 0
        while not int(dut.alarm.value):
            await source.wait(1)
            cycles += 1
            assert cycles < 2000, f"fault {fault} was not found"
        await source.wait(3)
        taken = len(source.taken)
        await source.wait(50)
        assert len(source.taken) == taken, "nothing passes in a hard stop"
        status = await source.read("status")
        assert (status.state_a, status.alarm, status.live) == (STOPPED, 1, 0)
        alarms = await source.read("alarms_a")
        assert getattr(alarms, alarm) >> bit & 1, (fault, alarms)
        first = (await source.read("first_alarm_a")).pulse_index // 4
        assert before < first < before + cycles + 20

        # Neither the end of the fault, nor a test on demand, nor clearing the flags lifts it.
        await source.write("injection_a")
        await source.write("control", test_a=1)
        await source.write(
            "alarms_a",
            **{name: (1 << width) - 1 for name, (_, width) in REGISTERS["alarms_a"][2].items()},
        )
        await source.wait(STARTUP)
        assert not any(vars(await source.read("alarms_a")).values())
        assert (await source.read("status")).state_a == STOPPED
        assert len(source.taken) == taken
        await source.write("control", restart_a=1)
        await source.wait(300)
        assert len(source.taken) == taken
        await source.wait(STARTUP - 300)
        assert (await source.read("status")).state_a == RELEASED
        assert len(source.taken) > taken
    assert not (await source.read("status")).alarm


@cocotb.test()
async def a_fault_of_one_chip_stops_both(dut):
    source = await started(dut, 7)
    await source.write("origin", origin=RandomOrigin.BOTH)
    await source.release()
    source.running = True
    await source.wait(20)
    source.word_of["b"] = lambda: source.rng.getrandbits(16) | 0xF000
    await source.wait(60)
    status = await source.read("status")
    assert (status.state_a, status.state_b, status.alarm) == (RELEASED, STOPPED, 1)
    taken = len(source.taken)
    await source.wait(50)
    assert len(source.taken) == taken
    # Chip A alone is well.
    await source.write("origin", origin=RandomOrigin.CHIP_A)
    await source.wait(50)
    assert len(source.taken) > taken
    assert source.taken[-1].live
    status = await source.read("status")
    assert (status.alarm, status.live) == (0, 1)


@cocotb.test()
async def words_of_the_host_are_replayed_and_never_live(dut):
    source = await started(dut, 8)
    await source.release()
    source.running = True
    await source.wait(30)
    await source.write("origin", origin=RandomOrigin.HOST)
    await source.wait(20)
    from_chip = len(source.taken)
    words = [source.rng.getrandbits(32) for _ in range(20)]
    for word in words:
        await source.write("host_word", word=word)
    await source.wait(20)
    halves = [word >> shift & 0xFFFF for word in words for shift in (0, 16)]
    assert source.bits(from_chip) == halves
    assert not any(word.live for word in source.taken[from_chip:])
    assert all(word.live for word in source.taken[:from_chip])
    assert int(dut.live.value) == 0

    # What is left of them does not mix with the bits of the chip.
    source.pause = lambda: True
    for word in words:
        await source.write("host_word", word=word)
    before = len(source.taken)
    await source.write("origin", origin=RandomOrigin.CHIP_A)
    await source.wait(30)
    source.pause = lambda: False
    await source.wait(100)
    offered, *others = source.taken[before:]
    assert (offered.bits, offered.live) == (words[0] & 0xFFFF, 0)
    assert all(word.live for word in others)
    assert not any(losses([word.bits for word in others], source.sent["a"]))
    assert (await source.read("origins_used")).origins == (
        1 << RandomOrigin.CHIP_A | 1 << RandomOrigin.HOST
    )


@cocotb.test()
async def room_for_the_host_is_told_and_overflow_is_flagged(dut):
    source = await started(dut, 9)
    for number in range(30):
        await source.write("host_word", word=number)
    fifo = await source.read("host_fifo")
    # Some words have gone on already.
    assert 24 <= fifo.level <= 30
    assert fifo.level + fifo.free == 512
    dut.bus__addr.value = REGISTERS["host_word"][0]
    dut.bus__w_stb.value = 1
    await source.wait(520)
    dut.bus__w_stb.value = 0
    assert (await source.read("host_fifo")).free <= 1
    assert (await source.read("flags")).host_overflow == 1
    await source.write("control", clear_host=1)
    assert (await source.read("host_fifo")).level == 0


@cocotb.test()
async def ring_oscillators_are_tested_and_never_live(dut):
    source = await started(dut, 10)
    await source.write("origin", origin=RandomOrigin.RING)
    await source.release()
    source.running = True
    await source.wait(100)
    assert len(source.taken) > 50
    assert not any(losses(source.bits(), source.sent["ring"]))
    assert not any(word.live for word in source.taken)
    source.word_of["ring"] = lambda: 0
    await source.wait(150)
    assert (await source.read("status")).state_ring == STOPPED
    assert int(dut.alarm.value) == 1


@cocotb.test()
async def training_aligns_lanes_that_arrive_apart(dut):
    source = await started(dut, 11)
    source.sends |= {"b": False, "ring": False}
    # Each lane comes so many bits late.
    late = [3, 6, 0, 5]
    lanes = [[] for _ in late]
    trains = True

    def word():
        nonlocal lanes
        slot = len(lanes[0])
        now = 0
        for bits in lanes:
            for place in range(slot, slot + 4):
                trained = TRAINING_PATTERN >> place % 16 & 1
                bits.append(trained if trains else source.rng.getrandbits(1))
        for lane, bits in enumerate(lanes):
            for place in range(4):
                at = slot + place - late[lane]
                now |= (bits[at] if at >= 0 else 0) << 4 * lane + place
        return now

    source.word_of["a"] = word
    await source.write("alignment_a", train=1)
    await source.wait(2 * 16 * 128 + 400)
    training = await source.read("training_a")
    assert training.locked == 0b1111
    delays = [getattr(training, f"delay_{lane}") for lane in range(4)]
    assert len({delay + late[lane] for lane, delay in enumerate(delays)}) == 1, delays
    assert not any(vars(await source.read("training_errors_a")).values())
    status = await source.read("status")
    assert (status.live, status.alarm) == (0, 0), "the pattern is not tested as random bits"
    trains = False
    await source.wait(20)
    errors = vars(await source.read("training_errors_a"))
    assert all(count > 2 for count in errors.values()), errors
    await source.write("alignment_a")
    await source.release()
    source.running = True
    await source.wait(100)
    aligned = []
    for slot in range(len(lanes[0]) - 4):
        aligned.append(
            sum(
                bits[slot + place] << 4 * lane + place
                for lane, bits in enumerate(lanes)
                for place in range(4)
            )
        )
    starts = [p for p in range(len(aligned)) if aligned[p] == source.taken[0].bits]
    assert any(
        all(aligned[begin + 4 * n] == bits for n, bits in enumerate(source.bits()[:60]))
        for begin in starts
    )

    # Delays by hand: any change is followed by the start-up test.
    await source.write("alignment_a", manual=1, delay_0=4, delay_1=4, delay_2=4, delay_3=5)
    await source.wait(10)
    assert (await source.read("status")).state_a == STARTING
