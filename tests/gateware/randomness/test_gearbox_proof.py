"""Proofs of the gearbox: no bit used twice, lost or moved, and no bit live that is not."""

import pytest
from amaranth.hdl import Assert, Cat, Cover, Elaboratable, Module, Mux, Signal
from amaranth.hdl._ast import AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware.randomness.gearbox import Gearbox

NUMBER_BITS = 5
UNIT = NUMBER_BITS + 1
ENGINE = "smtbmc yices"
# The widths of the boards, 16 to 16, 24 and 48, move as many units; and one that narrows.
UNITS = [(1, 1), (2, 3), (1, 3), (3, 2)]


class InOrder(Elaboratable):
    """Each unit of bits holds its number, and whether the word it came with was live.

    Numbers go round after 32, several times as many as units can be held.
    """

    def __init__(self, units, gearbox=Gearbox):
        self._units, self._gearbox = units, gearbox

    def elaborate(self, platform):
        m = Module()
        taken_units, given_units = self._units
        m.submodules.gearbox = box = self._gearbox(UNIT * taken_units, UNIT * given_units)
        entered, left = Signal(NUMBER_BITS), Signal(NUMBER_BITS)
        live, accept, give = AnySeq(1), Signal(), Signal()
        payload = box.input.payload
        m.d.comb += [
            box.clear.eq(AnySeq(1)),
            box.output.ready.eq(AnySeq(1)),
            box.input.valid.eq(AnySeq(1)),
            payload.live.eq(live),
            payload.bits.eq(
                Cat(Cat((entered + place)[:NUMBER_BITS], live) for place in range(taken_units))
            ),
            accept.eq(box.input.valid & box.input.ready),
            give.eq(box.output.valid & box.output.ready),
        ]
        after = Signal(NUMBER_BITS)
        m.d.comb += after.eq(left + Mux(give, given_units, 0))
        m.d.sync += left.eq(after)
        with m.If(box.clear):
            # All is dropped: the numbers go on behind what has left.
            m.d.sync += entered.eq(after)
        with m.Else():
            m.d.sync += entered.eq(entered + Mux(accept, taken_units, 0))

        units = [box.output.payload.bits.word_select(at, UNIT) for at in range(given_units)]
        for place, unit in enumerate(units):
            self._assert_number(m, ~box.output.valid, unit, left, place)
        all_live = Cat(unit[-1] for unit in units).all()
        m.d.comb += [
            Assert(~box.output.valid | (box.output.payload.live == all_live)),
            Assert(box._level == (entered - left)[:NUMBER_BITS]),
            Assert(box._level <= len(box._live)),
            Assert(~(box.clear & accept)),
            Cover(give & ~all_live),
            Cover(box.clear & box.output.valid & ~give),
        ]
        self._hold(m, box, give)
        for place in range(len(box._live)):
            unit = box._held.word_select(place, UNIT)
            self._assert_number(m, box._level <= place, unit, left, place)
            m.d.comb += Assert((box._level <= place) | (unit[-1] == box._live[place]))
        return m

    def _assert_number(self, m, unless, unit, left, place):
        expected = Signal(NUMBER_BITS)
        m.d.comb += expected.eq(left + place)
        m.d.comb += Assert(unless | (unit[:NUMBER_BITS] == expected))

    def _hold(self, m, box, give):
        """An offered word stays until it is taken or all is dropped."""
        waits, before = Signal(), Signal(len(box.output.payload.as_value()))
        m.d.sync += [
            waits.eq(box.output.valid & ~give & ~box.clear),
            before.eq(box.output.payload.as_value()),
        ]
        m.d.comb += Assert(~waits | (box.output.valid & (before == box.output.payload.as_value())))


@pytest.mark.parametrize("units", UNITS)
def test_bits_leave_once_and_in_order_with_their_marks(tmp_path, units):
    assert_proved(InOrder(units), depth=2, folder=tmp_path, engine=ENGINE)


def test_the_proof_is_about_something(tmp_path):
    assert_reached(InOrder((2, 3)), depth=8, folder=tmp_path, engine=ENGINE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rest.eq(Mux(give, level - self._given, level))", "rest.eq(level)"),
        ("live[: self._given].all()", "live[: self._given].any()"),
        (
            "with m.If(self.clear):\n            m.d.sync += level.eq(0)",
            "with m.If(self.clear):\n            m.d.sync += level.eq(rest)",
        ),
        ("level <= self._threshold)", "level <= self._threshold + 1)"),
        ("held.eq(held >> self._given * self._unit), ", ""),
    ],
    ids=["lost", "live by half", "kept through a clear", "overrun", "twice"],
)
def test_planted_faults_are_caught(tmp_path, old, new):
    faulty = mutated("keybeam_gateware.randomness.gearbox", old, new)
    assert_refuted(InOrder((2, 3), faulty.Gearbox), depth=8, folder=tmp_path, engine=ENGINE)
