import random
from collections import deque

import pytest
from log_model import LogModel, interesting_index

from keybeam.protocol.link import LookupStatus
from keybeam_gateware import csr
from keybeam_gateware.transmitter.log import (
    DDR3_LINE_WORDS,
    GUARD_WORDS,
    LOOKUP_CYCLES,
    LogBackend,
    StateLog,
)

FRAME_WORDS = 32
LAG = 5
"""Cycles for which a look-up may not yet know of a line that was completed."""
STARTS = [(1, 0), (2, 5), (2, (1 << 26) - 2), (4, (1 << 48) - 9)]


class NoMemory:
    """Stands for the memory where it is inside."""

    lost = None

    def tick(self, ctx, dut):
        pass


class ModelMemory:
    """DDR3 as the memory port describes it, with random refusals and latencies."""

    def __init__(self, rng, refusals):
        self._rng, self._refusals = rng, refusals
        self._lines = {}
        self._answers = deque()
        self._time = 0

    def tick(self, ctx, dut):
        """Do the work of a cycle, once all other inputs are set."""
        rng, memory = self._rng, dut.memory
        ctx.set(memory.passed, 1)
        ctx.set(memory.write.taken, rng.random() >= self._refusals)
        ctx.set(memory.read.taken, rng.random() < 0.7)
        self._time += 1
        answered = bool(self._answers) and self._answers[0][0] <= self._time
        ctx.set(memory.read.answered, answered)
        ctx.set(memory.read.line, self._answers.popleft()[1] if answered else rng.getrandbits(128))

        self.lost = ctx.get(memory.write.enable) and not ctx.get(memory.write.taken)
        if ctx.get(memory.read.enable & memory.read.taken):
            line = self._lines.get(ctx.get(memory.read.address), rng.getrandbits(128))
            self._answers.append((self._time + rng.randint(1, 40), line))
        if ctx.get(memory.write.enable & memory.write.taken):
            self._lines[ctx.get(memory.write.address)] = ctx.get(memory.write.line)


def present(ctx, dut, valid, first, word, symbols, not_key=False):
    """Put a cycle of the pattern on `dut.sent`."""
    slots = {f"slot_{slot}": symbol for slot, symbol in enumerate(symbols)}
    sent = {"valid": valid, "first": first, "not_key": not_key, "word": word, "symbols": slots}
    ctx.set(dut.sent, sent)


def watch_answers(bench, dut, memory, model, words, start, cycles, limit, rng):
    """Look random indices up while the pattern runs, stops and starts; gives answers by status."""
    counts = dict.fromkeys(LookupStatus, 0)

    async def drive(ctx):
        word, burst, first, not_key = 0, 0, False, False
        index, allowed, age, taken = None, set(), 0, False
        written = None
        for cycle in range(cycles):
            # The pattern starts now and then, also with indices that were used before, and stops.
            if burst == 0 and cycle > 100 and rng.random() < 0.05:
                burst = rng.randrange(FRAME_WORDS, 4 * words, FRAME_WORDS)
                word = (start + rng.randrange(2)) * FRAME_WORDS
                first = True
            if first or word % FRAME_WORDS == 0:
                not_key = rng.random() < 0.4
            symbols = [rng.randrange(16) for _ in range(4)]
            present(ctx, dut, burst > 0, first, word, symbols, not_key)

            if index is None:
                index, age, taken = interesting_index(rng, model, words), 0, False
                allowed = set()
                ctx.set(dut.index.payload, index)
            offered = not taken and age >= LAG
            ctx.set(dut.index.valid, offered)
            ready = rng.random() < 0.7
            ctx.set(dut.answer.ready, ready)
            memory.tick(ctx, dut)
            if memory.lost:
                model.lose(written)
            if offered and ctx.get(dut.index.ready):
                taken, age = True, 0
            assert age <= limit
            if ctx.get(dut.answer.valid):
                assert ctx.get(dut.answer.payload) in allowed
                if ready:
                    counts[ctx.get(dut.answer.payload) >> 4] += 1
                    index = None
            else:
                age += 1
                allowed.add(model.answer(index))
            if burst:
                if model.write(word, symbols, first=first, not_key=not_key):
                    written = word
                word, burst, first = word + 1, burst - 1, False
            await ctx.tick()

    bench.run(dut, drive)
    return counts


@pytest.mark.parametrize(("frames", "start"), STARTS)
def test_answers_of_block_ram_were_true_while_looked_up(bench, frames, start):
    rng = random.Random(f"{frames} {start}")
    words = frames * FRAME_WORDS
    counts = watch_answers(
        bench,
        StateLog(frames, FRAME_WORDS),
        NoMemory(),
        LogModel(words, FRAME_WORDS),
        words,
        start,
        1800,
        LOOKUP_CYCLES[LogBackend.BLOCK_RAM],
        rng,
    )
    assert counts.pop(LookupStatus.LOST) == 0
    assert min(counts.values()) > 5, counts


@pytest.mark.parametrize(
    ("frames", "start", "refusals"), [(*STARTS[1], 0.05), (*STARTS[2], 0), (*STARTS[3], 0.05)]
)
def test_answers_of_ddr3_were_true_while_looked_up(bench, frames, start, refusals):
    rng = random.Random(f"{frames} {start} {refusals}")
    words = frames * FRAME_WORDS
    counts = watch_answers(
        bench,
        StateLog(frames, FRAME_WORDS, backend=LogBackend.DDR3),
        ModelMemory(rng, refusals),
        LogModel(words, FRAME_WORDS, DDR3_LINE_WORDS),
        words,
        start,
        2000 if refusals else 1500,
        200,
        rng,
    )
    lost = counts.pop(LookupStatus.LOST)
    assert (lost > 2) == bool(refusals)
    assert min(counts.values()) > 3, counts


async def send_frames(ctx, dut, first_frame, frames, rng, not_key=()):
    """Send whole frames; gives the symbols by word."""
    sent = {}
    for number in range(frames * FRAME_WORDS):
        word = first_frame * FRAME_WORDS + number
        sent[word] = [rng.randrange(16) for _ in range(4)]
        marked = word // FRAME_WORDS in not_key
        present(ctx, dut, True, number == 0, word, sent[word], marked)
        await ctx.tick()
    ctx.set(dut.sent.valid, 0)
    return sent


async def look_up(ctx, dut, index):
    """Answer to one index, and the cycles until it was offered."""
    ctx.set(dut.index.payload, index)
    ctx.set(dut.index.valid, 1)
    await ctx.tick().until(dut.index.ready)
    ctx.set(dut.index.valid, 0)
    ctx.set(dut.answer.ready, 1)
    cycles = 1
    while not ctx.get(dut.answer.valid):
        await ctx.tick()
        cycles += 1
    answer = ctx.get(dut.answer.payload)
    await ctx.tick()
    return LookupStatus(answer >> 4), answer & 15, cycles


def test_contents_stay_when_the_pattern_stops(bench):
    rng = random.Random(3)
    dut = StateLog(2, FRAME_WORDS)
    oldest = 3 * FRAME_WORDS - 2 * FRAME_WORDS + GUARD_WORDS

    async def drive(ctx):
        sent = await send_frames(ctx, dut, 1, 3, rng, not_key=[2])
        await ctx.tick().repeat(100)
        for word in range(FRAME_WORDS, 5 * FRAME_WORDS):
            slot = rng.randrange(4)
            if word < oldest + FRAME_WORDS:
                expected = LookupStatus.TOO_OLD, 0
            elif word >= 4 * FRAME_WORDS:
                expected = LookupStatus.TOO_NEW, 0
            elif word // FRAME_WORDS == 2:
                expected = LookupStatus.NOT_KEY, sent[word][slot]
            else:
                expected = LookupStatus.FOUND, sent[word][slot]
            assert (await look_up(ctx, dut, 4 * word + slot))[:2] == expected

    bench.run(dut, drive)


def register_fields(dut):
    """Registers by name: address of the first word and number of words."""
    return {
        "_".join(name): (begin, end - begin)
        for _, name, (begin, end) in dut.bus.memory_map.resources()
    }


async def read_register(ctx, dut, name):
    begin, words = register_fields(dut)[name]
    value = 0
    for number in range(words):
        ctx.set(dut.bus.addr, begin + number)
        ctx.set(dut.bus.r_stb, 1)
        await ctx.tick()
        ctx.set(dut.bus.r_stb, 0)
        await ctx.tick().repeat(csr.Bridge.LATENCY - 1)
        value |= ctx.get(dut.bus.r_data) << 32 * number
        await ctx.tick()
    return value


async def write_register(ctx, dut, name, value):
    ctx.set(dut.bus.addr, register_fields(dut)[name][0])
    ctx.set(dut.bus.w_data, value)
    ctx.set(dut.bus.w_stb, 1)
    await ctx.tick()
    ctx.set(dut.bus.w_stb, 0)
    await ctx.tick()


async def read_snapshot(ctx, dut):
    await write_register(ctx, dut, "snapshot", 1)
    await ctx.tick().repeat(6)
    names = ("newest", "oldest", "lost", "first_lost", "answered")
    return {name: await read_register(ctx, dut, name) for name in names}


def test_registers_tell_what_is_held(bench):
    dut = StateLog(2, FRAME_WORDS)
    rng = random.Random(4)
    first = (1 << 29) - 1  # the range held crosses a border of the halves in which it is reckoned

    async def drive(ctx):
        assert await read_register(ctx, dut, "status") == 0b0110 << 3
        assert await read_register(ctx, dut, "size") == 2
        readable = 2 * FRAME_WORDS - GUARD_WORDS
        assert await read_register(ctx, dut, "capacity") == 4 * readable
        await send_frames(ctx, dut, first, 1, rng)
        await ctx.tick().repeat(4)
        assert await read_register(ctx, dut, "status") == 0b1110 << 3
        seen = await read_snapshot(ctx, dut)
        assert seen["oldest"] == 4 * first * FRAME_WORDS
        assert seen["newest"] == 4 * (first + 1) * FRAME_WORDS - 1
        assert seen["answered"] == 0

        await send_frames(ctx, dut, first - 2, 6, rng)
        for index in range(3):
            await look_up(ctx, dut, index)
        seen = await read_snapshot(ctx, dut)
        assert seen["newest"] == 4 * (first + 4) * FRAME_WORDS - 1
        assert seen["oldest"] == seen["newest"] + 1 - 4 * readable
        assert seen["lost"] == 0
        assert seen["answered"] == 3
        assert await read_register(ctx, dut, "flags") == 0

    bench.run(dut, drive)


def test_what_the_memory_does_not_take_is_told_and_counted(bench):
    dut = StateLog(4, FRAME_WORDS, backend=LogBackend.DDR3)
    rng = random.Random(5)
    memory = ModelMemory(rng, 0)
    refuse = {5 * FRAME_WORDS + 8, 5 * FRAME_WORDS + 16, 6 * FRAME_WORDS}

    async def drive(ctx):
        assert await read_register(ctx, dut, "status") == 1
        sent = {}
        for word in range(5 * FRAME_WORDS, 8 * FRAME_WORDS + 4):
            sent[word] = [rng.randrange(16) for _ in range(4)]
            valid = word < 8 * FRAME_WORDS
            present(ctx, dut, valid, word == 5 * FRAME_WORDS, word, sent[word])
            # A line is asked for in the cycle after its last word.
            memory._refusals = word - DDR3_LINE_WORDS in refuse
            memory.tick(ctx, dut)
            await ctx.tick()
        ctx.set(dut.answer.ready, 1)
        for word, status in [
            (5 * FRAME_WORDS, LookupStatus.LOST),
            (5 * FRAME_WORDS + 8, LookupStatus.LOST),
            (6 * FRAME_WORDS + 31, LookupStatus.LOST),
            (7 * FRAME_WORDS, LookupStatus.FOUND),
            (7 * FRAME_WORDS + 31, LookupStatus.FOUND),
        ]:
            ctx.set(dut.index.payload, 4 * word + 2)
            ctx.set(dut.index.valid, 1)
            while not ctx.get(dut.answer.valid):
                memory.tick(ctx, dut)
                await ctx.tick()
                ctx.set(dut.index.valid, 0)
            symbol = sent[word][2] if status == LookupStatus.FOUND else 0
            assert ctx.get(dut.answer.payload) == status << 4 | symbol
            await ctx.tick()
        seen = await read_snapshot(ctx, dut)
        assert seen["lost"] == 4 * DDR3_LINE_WORDS * len(refuse)
        assert seen["first_lost"] == 4 * min(refuse)
        assert seen["answered"] == 5
        assert await read_register(ctx, dut, "flags") == 1
        await write_register(ctx, dut, "flags", 1)
        assert await read_register(ctx, dut, "flags") == 0

        # The next loss is the first one again.
        ctx.set(dut.memory.write.taken, 0)
        await send_frames(ctx, dut, 9, 1, rng)
        await ctx.tick().repeat(4)
        seen = await read_snapshot(ctx, dut)
        assert seen["first_lost"] == 4 * 9 * FRAME_WORDS
        assert await read_register(ctx, dut, "flags") == 1

    bench.run(dut, drive)


@pytest.mark.parametrize("fault", ["no room", "no answer", "contents gone"])
def test_a_memory_that_fails_is_given_up(bench, fault):
    dut = StateLog(2, FRAME_WORDS, backend=LogBackend.DDR3)
    rng = random.Random(6)

    async def drive(ctx):
        memory = dut.memory
        ctx.set(memory.passed, 1)
        ctx.set(memory.write.taken, 1)
        ctx.set(memory.read.taken, fault == "no answer")
        await send_frames(ctx, dut, 1, 1, rng)
        if fault == "contents gone":
            ctx.set(memory.passed, 0)
            await ctx.tick().repeat(2)
            ctx.set(memory.passed, 1)
        index = 4 * FRAME_WORDS + 7
        status, symbol, cycles = await look_up(ctx, dut, index)
        assert (status, symbol) == (LookupStatus.LOST, 0)
        assert cycles <= LOOKUP_CYCLES[LogBackend.DDR3]
        # A late answer is not taken for that to the next look-up; what was not asked has none.
        ctx.set(memory.read.taken, 1)
        ctx.set(memory.read.line, (1 << 128) - 1)
        ctx.set(memory.read.answered, 1)
        usable = fault == "no room"
        status, symbol, _ = await look_up(ctx, dut, index)
        expected = (LookupStatus.FOUND, 15) if usable else (LookupStatus.LOST, 0)
        assert (status, symbol) == expected
        assert await read_register(ctx, dut, "status") >> 7 == (not usable)

    bench.run(dut, drive)


@pytest.mark.parametrize(("frames", "frame_words"), [(4, GUARD_WORDS), (1 << 20, 1 << 14)])
def test_a_log_that_cannot_be_built_is_refused(frames, frame_words):
    log = StateLog.__new__(StateLog)
    log._MustUse__used = True  # never elaborated, as it should be
    with pytest.raises(ValueError, match="cannot be built"):
        log.__init__(frames, frame_words)
