"""Times are compared as by one subtraction modulo their range."""

import pytest
from amaranth.hdl import Assert, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.records import COARSE_BITS, TIME_BITS
from keybeam_gateware.receiver import time_order

ENGINE = "smtbmc yices"


class Compared(Elaboratable):
    """Any two times, compared in parts and by one subtraction."""

    def __init__(self, width, module=time_order):
        self._width, self._module = width, module

    def elaborate(self, platform):
        m = Module()
        one, other = Signal(self._width), Signal(self._width)
        difference, told = Signal(self._width), Signal()
        m.d.comb += [
            one.eq(AnySeq(self._width)),
            other.eq(AnySeq(self._width)),
            difference.eq(other - one),
            told.eq(self._module.is_not_later(one, other)),
            Assert(told == ~difference[-1]),
            *(Cover((told == value) & (one > other)) for value in (0, 1)),
        ]
        return m


@pytest.mark.parametrize("width", [TIME_BITS, COARSE_BITS, 6])
def test_any_two_times_are_compared(tmp_path, width):
    assert_proved(Compared(width), depth=1, folder=tmp_path, engine=ENGINE)
    assert_reached(Compared(width), depth=2, folder=tmp_path, engine=ENGINE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("~_is_negative(middle - other_middle) & ", ""),
        ("_is_negative(other_middle - middle) | ", ""),
        ("Mux(borrows, earlier, ~later)", "~later"),
        ("(other_high, high), (high, other_high)", "(other_high, high), (other_high, high)"),
    ],
    ids=["equal middles", "middles", "borrow", "other way round"],
)
def test_a_wrong_comparison_is_caught(tmp_path, old, new):
    faulty = mutated(time_order.__name__, old, new)
    assert_refuted(Compared(TIME_BITS, faulty), depth=2, folder=tmp_path, engine=ENGINE)
