"""All health tests on the raw words of one random-number chip."""

from functools import reduce
from itertools import pairwise
from operator import and_

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam.randomness import BIT_WINDOW, LANES, REPEAT_DISTANCE, SYMBOL_WINDOW, WORD_BITS
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.randomness.layouts import (
    ALARMS_LAYOUT,
    CUTOFFS_LAYOUT,
    LANE_PAIRS,
    lane_groups,
    random_layout,
)
from keybeam_gateware.randomness.proportion import PROPORTION_LATENCY, AdaptiveProportion
from keybeam_gateware.randomness.repetition import (
    REPEAT_LATENCY,
    REPETITION_LATENCY,
    RepeatCount,
    RepetitionCount,
)

__all__ = ["HEALTH_LATENCY", "HealthTests"]

HEALTH_LATENCY = 1 + PROPORTION_LATENCY
"""Cycles from a word to its alarms."""

_BIT_WINDOW_WORDS = BIT_WINDOW // SLOTS_PER_CYCLE
_WINDOWS_RATIO = BIT_WINDOW // SYMBOL_WINDOW


class HealthTests(wiring.Component):
    """Tests every word, and gives it on together with its alarms.

    Parameters
    ----------
    window_words : int
        Words of a window of the bits, a power of two; one of the symbols has half as many.

    Members
    -------
    word : In(random_layout(16))
        Raw bits, with a mark that goes along with them.
    valid : In(1)
        There is a word in this cycle.
    cutoffs : In(CUTOFFS_LAYOUT)
        Counts that raise the alarms.
    tested : Out(random_layout(16))
        The word of `HEALTH_LATENCY` cycles ago.
    tested_valid : Out(1)
        There was one.
    alarms : Out(ALARMS_LAYOUT)
        Alarms that it raised.
    window_ended : Out(1)
        It was the last of a window of the bits.
    """

    def __init__(self, *, window_words: int = _BIT_WINDOW_WORDS) -> None:
        self._window_words = window_words
        super().__init__(
            {
                "word": In(random_layout(WORD_BITS)),
                "valid": In(1),
                "cutoffs": In(CUTOFFS_LAYOUT),
                "tested": Out(random_layout(WORD_BITS)),
                "tested_valid": Out(1),
                "alarms": Out(ALARMS_LAYOUT),
                "window_ended": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word, valid, cycle = Signal(WORD_BITS), Signal(), Signal(range(self._window_words))
        m.d.sync += valid.eq(self.valid)
        with m.If(self.valid):
            m.d.sync += word.eq(self.word.bits)
        with m.If(valid):
            m.d.sync += cycle.eq(cycle + 1)
        self._hand_on(m, valid, cycle)
        self._repetition(m, word, valid)
        self._repeats(m, word, valid)
        self._proportion(m, word, valid, cycle)
        return m

    def _hand_on(self, m, valid, cycle):
        """Delay the words until their alarms are known."""
        # The place in the window belongs to the word of one cycle ago.
        ended = valid & (cycle == self._window_words - 1)
        m.d.comb += self.window_ended.eq(delayed(m, ended, HEALTH_LATENCY - 1))
        m.d.comb += [
            self.tested.eq(delayed(m, self.word, HEALTH_LATENCY)),
            self.tested_valid.eq(delayed(m, self.valid, HEALTH_LATENCY)),
        ]

    def _repetition(self, m, word, valid):
        """Find runs of bits, of differences of lanes, and of symbols."""
        lanes = lane_groups(word)
        last, started = Signal(LANES), Signal()
        with m.If(valid):
            m.d.sync += [last.eq(Cat(lane[-1] for lane in lanes)), started.eq(1)]
        # Five bits of each lane in a row, the last of the word before first.
        rows = [Cat(last[number], lanes[number]) for number in range(LANES)]
        known = Cat(started, Const(-1, SLOTS_PER_CYCLE - 1))

        def same(row):
            return Cat(a == b for a, b in pairwise(row)) & known

        cutoffs, alarms = self.cutoffs, self.alarms
        of_lanes = [same(row) for row in rows]
        of_pairs = [same(rows[first] ^ rows[second]) for first, second in LANE_PAIRS]
        of_symbols = reduce(and_, of_lanes)
        for name, row_of_tests, cutoff, alarm in (
            ("lane", of_lanes, cutoffs.repetition_bits, alarms.repetition_lanes),
            ("pair", of_pairs, cutoffs.repetition_bits, alarms.repetition_pairs),
            ("symbol", [of_symbols], cutoffs.repetition_symbols, alarms.repetition_symbols),
        ):
            failed = []
            for number, equal in enumerate(row_of_tests):
                m.submodules[f"repetition_{name}_{number}"] = test = RepetitionCount()
                m.d.sync += [test.same.eq(equal), test.valid.eq(valid)]
                m.d.comb += test.cutoff.eq(cutoff)
                failed.append(test.failed)
            late = HEALTH_LATENCY - 2 - REPETITION_LATENCY
            m.d.comb += alarm.eq(delayed(m, Cat(failed), late))

    def _repeats(self, m, word, valid):
        """Find groups and words that come again and again."""
        before = word
        filled = Signal(range(REPEAT_DISTANCE + 1))
        full = filled == REPEAT_DISTANCE
        for age in range(REPEAT_DISTANCE):
            older = Signal(WORD_BITS, name=f"word_{age + 1}_before")
            with m.If(valid):
                m.d.sync += older.eq(before)
            before = older
        with m.If(valid & ~full):
            m.d.sync += filled.eq(filled + 1)

        known = Signal()
        equal = Signal(LANES)
        m.d.sync += [
            known.eq(full),
            equal.eq(
                Cat(
                    now == then
                    for now, then in zip(lane_groups(word), lane_groups(before), strict=True)
                )
            ),
        ]
        cutoffs, alarms = self.cutoffs, self.alarms
        same = Signal(LANES + 1)
        m.d.sync += same.eq(Cat(equal, equal.all()) & known.replicate(LANES + 1))
        counted = delayed(m, valid, 2)
        failed = []
        for number in range(LANES + 1):
            m.submodules[f"repeat_{number}"] = test = RepeatCount()
            is_group = number < LANES
            m.d.comb += [
                test.same.eq(same[number]),
                test.valid.eq(counted),
                test.cutoff.eq(cutoffs.repetition_groups if is_group else cutoffs.repetition_words),
            ]
            failed.append(test.failed)
        late = HEALTH_LATENCY - 3 - REPEAT_LATENCY
        m.d.comb += Cat(alarms.repetition_groups, alarms.repetition_words).eq(
            delayed(m, Cat(failed), late)
        )

    def _proportion(self, m, word, valid, cycle):
        """Count how often the first bit of a lane, and the first symbol, is seen in a window."""
        lanes = lane_groups(word)
        symbols = Cat(lane[slot] for slot in range(SLOTS_PER_CYCLE) for lane in lanes)
        cutoffs, alarms = self.cutoffs, self.alarms
        failed = []
        for lane in range(LANES):
            m.submodules[f"proportion_{lane}"] = test = AdaptiveProportion(
                sample_bits=1, count_bits=len(cutoffs.proportion_bits)
            )
            m.d.comb += [
                test.samples.eq(lanes[lane]),
                test.valid.eq(valid),
                test.first.eq(cycle == 0),
                test.cutoff.eq(cutoffs.proportion_bits),
            ]
            failed.append(test.failed)
        m.submodules.proportion_symbols = test = AdaptiveProportion(
            sample_bits=LANES, count_bits=len(cutoffs.proportion_symbols)
        )
        m.d.comb += [
            test.samples.eq(symbols),
            test.valid.eq(valid),
            test.first.eq(cycle[: exact_log2(self._window_words // _WINDOWS_RATIO)] == 0),
            test.cutoff.eq(cutoffs.proportion_symbols),
            alarms.proportion_lanes.eq(Cat(failed)),
            alarms.proportion_symbols.eq(test.failed),
        ]
