"""What the pattern has to do, said again in plain Python, and compared with a trace of it.

A trace has an entry for every cycle. The model follows from the meaning of modes, symbols, lane
table and delays; of the gateware it takes only in how many cycles things come out.
"""

from dataclasses import dataclass, field

import numpy as np

from keybeam.protocol.lanes import sagnac_lane_table
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.symbols import Intensity

FRAME_CYCLES = 64
FRAME_WORDS = 1 << 14
LATENCY = 17
SENT_LATENCY = 33
SETTLED = 4
"""Cycles after which mode and marks of a frame are shown for it."""
INVALID = Intensity.INVALID << 2
POLYNOMIALS = {
    PatternMode.PRBS7: (7, 6),
    PatternMode.PRBS15: (15, 14),
    PatternMode.PRBS23: (23, 18),
    PatternMode.PRBS31: (31, 28),
}


@dataclass
class Settings:
    """What was loaded into tables and registers."""

    map: list
    lanes: np.ndarray = field(default_factory=sagnac_lane_table)
    fixed: int = 0
    spacing: int = 1
    user: list = field(default_factory=lambda: [0])
    delay: list = field(default_factory=lambda: [0] * 9)
    invert: list = field(default_factory=lambda: [0] * 9)
    idle: list = field(default_factory=lambda: [0] * 9)
    enable: list = field(default_factory=lambda: [1] * 9)

    @property
    def random_bits(self):
        """Random bits of a pulse."""
        return len(self.map).bit_length() - 1


class Trace:
    """Columns of a trace, by name; `begin` is the cycle in which each cycle's frame began."""

    def __init__(self, words, places):
        self.length = len(words)
        self._words, self._places = words, places
        self._columns = {}
        self.begin = []
        begin = None
        for cycle, number in enumerate(self["time_cycle"]):
            begin = cycle if number == 0 else begin
            self.begin.append(begin)

    def __getitem__(self, name):
        if name not in self._columns:
            offset, width = self._places[name]
            mask = (1 << width) - 1
            self._columns[name] = [word >> offset & mask for word in self._words]
        return self._columns[name]

    def whole_frames(self):
        """First cycles of the frames whose last slots have left everything before the end."""
        last = self.length - FRAME_CYCLES - SENT_LATENCY - 16
        return [c for c in range(last) if self.begin[c] == c]

    def symbols(self, cycle):
        word = self["sent_symbols"][cycle]
        return [word >> 4 * slot & 15 for slot in range(4)]


def prbs(mode):
    """Bits of a sequence, one after the other, from a shift register."""
    order, tap = POLYNOMIALS[mode]
    register = [1] * order
    while True:
        bit = register[-1] ^ register[tap - 1]
        register = [bit, *register[:-1]]
        yield bit


def pulse_slots(cycle, spacing):
    """Slots of a cycle, by its number in the frame, in which a pulse begins."""
    return [slot for slot in range(4) if (4 * cycle + slot) % spacing == 0]


def check(trace, settings):
    """Compare a trace with the model; returns the symbols that were sent, by cycle of `time`."""
    chosen = _follow_symbols(trace, settings)
    _check_sent(trace, chosen)
    _check_lanes(trace, settings, chosen)
    return chosen


def _faults(trace):
    total, sums = 0, [0]
    for fault in trace["fault"]:
        total += fault
        sums.append(total)
    return lambda first, last: first <= last and sums[last + 1] > sums[first]


def _follow_symbols(trace, settings):
    """Symbols of every cycle of the whole frames, before a fault blanks any."""
    fresh = _Fields(trace, settings.random_bits)
    chosen = {}
    sequence, before = None, None
    for begin in trace.whole_frames():
        running = trace["time_running"][begin]
        mode = PatternMode(trace["mode"][begin + SETTLED])
        if trace["time_first"][begin]:
            # Of a word that was begun in the run before, nothing is used.
            fresh.forget()
        if mode in POLYNOMIALS and (mode, bool(running)) != before:
            sequence = prbs(mode)
        before = (mode, bool(running))
        for number in range(FRAME_CYCLES):
            cycle = begin + number
            slots = pulse_slots(number, settings.spacing) if running else []
            blanked = bool(trace["blanked"][cycle + SENT_LATENCY])
            assert not blanked or (slots and mode == PatternMode.KEY)
            row = [INVALID] * 4
            for slot in slots:
                if mode == PatternMode.KEY and not blanked:
                    row[slot] = settings.map[next(fresh)]
                elif mode in POLYNOMIALS:
                    bits = [next(sequence) for _ in range(settings.random_bits)]
                    row[slot] = settings.map[sum(bit << k for k, bit in enumerate(bits))]
                elif mode == PatternMode.FIXED:
                    row[slot] = settings.fixed
                elif mode == PatternMode.USER:
                    row[slot] = settings.user[number % len(settings.user)] >> 4 * slot & 15
            if mode == PatternMode.KEY and slots:
                _check_blanking(trace, begin, cycle, blanked)
            chosen[cycle] = row
    return chosen


class _Fields:
    """Fields of the random words in the order in which they were taken."""

    def __init__(self, trace, width):
        taken = [w for w, t in zip(trace["word"], trace["taken"], strict=True) if t]
        mask = (1 << width) - 1
        self._values = [word >> width * place & mask for word in taken for place in range(4)]
        self._place = 0

    def __next__(self):
        self._place += 1
        return self._values[self._place - 1]

    def forget(self):
        """Go on with the next whole word."""
        self._place += -self._place % 4


def _check_blanking(trace, begin, cycle, blanked):
    """Bits that are offered and fit are not left lying; those that are unfit are never sent."""
    takes = cycle + 2
    spoiled = not all(trace["live"][begin + 2 : takes + 1])
    if spoiled and not trace["not_key"][begin + SETTLED]:
        assert blanked
    elif trace["valid"][takes]:
        assert not blanked


def _check_sent(trace, chosen):
    fault_between = _faults(trace)
    for cycle, row in chosen.items():
        begin = trace.begin[cycle]
        then = cycle + SENT_LATENCY
        running = trace["time_running"][cycle]
        assert trace["sent_valid"][then] == running
        for mark in range(begin + 2, begin + FRAME_CYCLES + 2):
            if cycle == begin:
                assert trace["mode"][mark] == trace["mode"][begin + SETTLED]
                assert trace["not_key"][mark] == trace["not_key"][begin + SETTLED]
        if trace["mode"][begin + SETTLED] != PatternMode.KEY:
            assert trace["not_key"][begin + SETTLED]
        if running:
            word = trace["time_frame"][cycle] * FRAME_WORDS + trace["time_cycle"][cycle]
            assert trace["sent_word"][then] == word
            assert trace["sent_first"][then] == trace["time_first"][cycle]
            assert trace["sent_not_key"][then] == trace["not_key"][begin + SETTLED]
            stopped = fault_between(begin + 10, cycle + SENT_LATENCY - 1)
            assert trace.symbols(then) == ([INVALID] * 4 if stopped else row), cycle - begin


def _check_lanes(trace, settings, chosen):
    """Every lane in every cycle, slot by slot, after its delay."""
    entries = _entries(trace, settings, chosen)
    fault_between = _faults(trace)
    cycles = sorted(chosen)
    known = set(cycles)
    for lane in range(9):
        idle = 0b1111 * settings.idle[lane] if lane == 8 else settings.idle[lane]
        width = 4 if lane == 8 else 1
        name = "serial" if lane == 8 else f"lanes_lane_{lane}"
        flip = ((1 << width) - 1) * settings.invert[lane]
        for cycle in cycles:
            shown = trace[name][cycle + LATENCY]
            for slot in range(4):
                source, place = divmod(4 * cycle + slot - settings.delay[lane], 4)
                if source not in known:
                    continue
                bits = idle
                faulty = fault_between(trace.begin[source] + 10, cycle + LATENCY - 1)
                if entries[source] is not None and not faulty and settings.enable[lane]:
                    entry = entries[source][place]
                    bits = (entry >> 8 if lane == 8 else entry >> lane & 1) ^ flip
                got = shown >> width * slot & (1 << width) - 1
                assert got == bits, (name, trace["time_cycle"][cycle], slot, got, bits)


def _entries(trace, settings, chosen):
    """Entries of the lane table for the four slots of each cycle; None where lanes are idle."""
    entries = {}
    symbol = None
    for cycle, row in chosen.items():
        mode = trace["mode"][trace.begin[cycle] + SETTLED]
        if not trace["time_running"][cycle] or mode == PatternMode.OFF:
            entries[cycle] = None
            continue
        number = trace["time_cycle"][cycle]
        entries[cycle] = []
        for slot in range(4):
            position = (4 * number + slot) % settings.spacing
            if position == 0:
                symbol = row[slot]
                if symbol >> 2 == Intensity.INVALID:
                    symbol = Intensity.VACUUM << 2 | symbol & 3
            entries[cycle].append(int(settings.lanes[symbol, position]))
    return entries
