"""Aligns the lanes of a random-number chip by the training pattern that it sends."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam.randomness import GROUP_BITS, LANES, TRAINING_PATTERN, WORD_BITS
from keybeam_gateware.randomness.layouts import ALIGNMENT_LAYOUT, lane_groups

__all__ = ["ERROR_COUNTS_LAYOUT", "ChipAlignment"]

ERROR_COUNTS_LAYOUT = data.StructLayout({f"lane_{lane}": 8 for lane in range(LANES)})
"""Wrong groups of each lane since it was locked; stays at 255."""

_PATTERN_WORDS = 16 // GROUP_BITS
_MIDDLE = SLOTS_PER_CYCLE
"""Smallest delay of lane 0, to which the others are aligned."""
_INITIAL = {f"lane_{lane}": _MIDDLE for lane in range(LANES)}
_TRIAL_BITS = 7
_SETTLING_WORDS = 16


class ChipAlignment(wiring.Component):
    """Delays each lane by 0 to 15 bits, and finds these delays by a training pattern.

    Lane 0 gets a delay of 4 to 7 bits; the others, aligned to it, may then arrive up to 4 bits
    later or 8 bits earlier than lane 0. Each delay is tried for 128 words until the pattern shows.

    A change of a delay reads some bits twice or skips some: `unsettled` tells when, so that
    none of them is used.

    Members
    -------
    raw : In(16)
        Bits as the input cells sample them, those of lane 0 lowest.
    raw_valid : In(1)
        There are some in this cycle.
    train : In(1)
        The chip sends the training pattern on all lanes: find the delays, from the beginning.
    manual : In(1)
        Use `delays` instead of those found.
    delays : In(ALIGNMENT_LAYOUT)
        Delays set by hand.
    word : Out(16)
        Aligned bits.
    word_valid : Out(1)
        There are some in this cycle.
    unsettled : Out(1)
        Training, or a delay changes: the words of this and the next cycles are not random bits.
    found : Out(ALIGNMENT_LAYOUT)
        Delays found by the last training.
    locked : Out(4)
        Lanes whose delay was found.
    errors : Out(ERROR_COUNTS_LAYOUT)
        Wrong groups while training, of the lanes that are locked.
    """

    raw: In(WORD_BITS)
    raw_valid: In(1)
    train: In(1)
    manual: In(1)
    delays: In(ALIGNMENT_LAYOUT)
    word: Out(WORD_BITS)
    word_valid: Out(1)
    unsettled: Out(1)
    found: Out(ALIGNMENT_LAYOUT, init=_INITIAL)
    locked: Out(LANES)
    errors: Out(ERROR_COUNTS_LAYOUT)

    def elaborate(self, platform):
        m = Module()
        in_use = Signal(ALIGNMENT_LAYOUT, init=_INITIAL)
        wanted = Signal(ALIGNMENT_LAYOUT)
        m.d.comb += wanted.eq(Mux(self.manual, self.delays, self.found))
        m.d.sync += [
            in_use.eq(wanted),
            self.unsettled.eq(self.train | (in_use.as_value() != wanted.as_value())),
        ]
        self._delay(m, in_use)
        self._search(m)
        return m

    def _delay(self, m, delays):
        """Delay each lane, first by whole groups, then by bits."""
        valid = Signal()
        m.d.sync += [valid.eq(self.raw_valid), self.word_valid.eq(valid)]
        aligned = []
        for lane, group in enumerate(lane_groups(self.raw)):
            delay = delays[f"lane_{lane}"]
            groups = [group]
            for age in range(_PATTERN_WORDS):
                older = Signal(GROUP_BITS, name=f"lane_{lane}_{age + 1}_before")
                with m.If(self.raw_valid):
                    m.d.sync += older.eq(groups[-1])
                groups.append(older)
            near = Signal(2 * GROUP_BITS, name=f"near_{lane}")
            pairs = Array(Cat(groups[age + 1], groups[age]) for age in range(_PATTERN_WORDS))
            m.d.sync += near.eq(pairs[delay[2:]])
            slips = Array(near[GROUP_BITS - slip :][:GROUP_BITS] for slip in range(GROUP_BITS))
            bits = Signal(GROUP_BITS, name=f"aligned_{lane}")
            m.d.comb += bits.eq(slips[delay[:2]])
            aligned.append(bits)
        with m.If(valid):
            m.d.sync += self.word.eq(Cat(aligned))

    def _search(self, m):
        """Try delays until each lane shows the pattern."""
        phase, expected = Signal(range(_PATTERN_WORDS)), Signal(GROUP_BITS)
        trial = Signal(_TRIAL_BITS)
        checked, last = Signal(), Signal()
        pattern = Const(TRAINING_PATTERN, WORD_BITS)
        m.d.comb += expected.eq(pattern.word_select(phase, GROUP_BITS))
        m.d.sync += [
            checked.eq(self.word_valid & self.train & (trial >= _SETTLING_WORDS)),
            last.eq(self.word_valid & self.train & trial.all()),
        ]
        with m.If(self.word_valid):
            m.d.sync += [phase.eq(phase + 1), trial.eq(trial + 1)]

        before = Signal()
        m.d.sync += before.eq(self.train)
        starts = self.train & ~before
        with m.If(starts):
            m.d.sync += trial.eq(0)
        for lane, group in enumerate(lane_groups(self.word)):
            wrong, failed = Signal(name=f"wrong_{lane}"), Signal(name=f"failed_{lane}")
            found, errors = self.found[f"lane_{lane}"], self.errors[f"lane_{lane}"]
            locked = self.locked[lane]
            m.d.sync += wrong.eq(group != expected)
            searching = ~locked if lane == 0 else ~locked & self.locked[0]
            with m.If(checked & wrong):
                m.d.sync += failed.eq(1)
                with m.If(locked & ~errors.all()):
                    m.d.sync += errors.eq(errors + 1)
            with m.If(last):
                m.d.sync += failed.eq(0)
                with m.If(searching & ~failed & ~wrong):
                    m.d.sync += locked.eq(1)
                with m.Elif(searching):
                    if lane == 0:
                        m.d.sync += found[:2].eq(found[:2] + 1)
                        # All slips were tried: try them with the pattern a word later.
                        with m.If(found[:2].all()):
                            m.d.sync += phase.eq(Mux(self.word_valid, phase + 2, phase + 1))
                    else:
                        m.d.sync += found.eq(found + 1)
            with m.If(starts):
                m.d.sync += [
                    locked.eq(0),
                    errors.eq(0),
                    failed.eq(0),
                    found.eq(_MIDDLE if lane == 0 else 0),
                ]
