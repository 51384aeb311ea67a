"""Every signal that goes from one clock to another, in both terminals on their board."""

import re

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.identity import Role
from keybeam.protocol.records import TAGGED_CHANNELS
from keybeam_boards.crossings import Crossing, crossing_violations, find_crossings
from keybeam_boards.errors import RuleError
from keybeam_boards.platforms import BOARDS
from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES
from keybeam_boards.tops import ReceiverTop, make_top

BOARD = "ecp5_5g_evn"

OF_ALL = {
    ("clocks", "lock of a PLL", "reference", "two flip-flops in a row"),
    ("clocks", "pad", "reference", "two flip-flops in a row"),
    ("terminal.link.uart_receiver.synchroniser", "pad", "sync", "FFSynchronizer"),
}
OF_THE_TRANSMITTER = {
    ("rings.ring_N_N_sampler", "ring oscillator", "sync", "FFSynchronizer"),
    ("serial_lane.lock", "lock of a SERDES", "sync", "FFSynchronizer"),
}
OF_THE_RECEIVER = {
    ("to_reference", "sync", "reference", "FFSynchronizer"),
    ("terminal.core.tagging.shared.synchroniser", "ring oscillator", "sync", "FFSynchronizer"),
    *(
        (
            f"delay_line_{re.sub('[0-9]', 'N', channel.name.lower())}_N",
            source,
            "sync",
            "flip-flops of a delay line",
        )
        for channel in TAGGED_CHANNELS
        for source in ("pad", "ring oscillator", "reference")
    ),
}
"""The crossings there are; lanes and pulse-per-second input are sampled by their I/O cells."""


@pytest.mark.parametrize(
    ("role", "expected"),
    [(Role.TRANSMITTER, OF_ALL | OF_THE_TRANSMITTER), (Role.RECEIVER, OF_ALL | OF_THE_RECEIVER)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_crossings_are_the_reviewed_ones(role, expected):
    platform = BOARDS[BOARD]()
    found = find_crossings(platform, make_top(platform, role, 0))
    assert set(found) == expected
    assert crossing_violations(found) == []


OF_X1_LANES = {
    ("word_phase", "sync", "eclk", "falling edge of a clock of one loop"),
    *(
        (f"{name}_N.gear", "sync", "eclk", "word taken in its middle")
        for name in ("lane", "marker", "downlink", "random_clock")
    ),
    *(
        (f"{name}_N.gear", "eclk", "sync", "word taken in its middle")
        for name in ("random_a", "random_b", "uplink", "pps")
    ),
}


def test_crossings_of_x1_lanes_are_the_reviewed_ones():
    platform = BOARDS["versa_ecp5_5g"]()
    found = find_crossings(platform, make_top(platform, Role.TRANSMITTER, 0, "312.5"))
    rings = {one for one in OF_THE_TRANSMITTER if one[1] == "ring oscillator"}
    assert set(found) == OF_ALL | rings | OF_X1_LANES
    assert crossing_violations(found) == []


class Silent(wiring.Component):
    """A terminal that does nothing."""

    uart_rx: In(1, init=1)
    uart_tx: Out(1, init=1)

    def elaborate(self, platform):
        return Module()


class Faulty(ReceiverTop):
    """A terminal with a signal that goes straight from the reference's time into the logic's."""

    def _add_lanes(self, m, platform, terminal):
        m.domains.slow = ClockDomain(reset_less=True, local=True)
        blink, seen = Signal(), Signal()
        m.d.comb += ClockSignal("slow").eq(m.submodules.clocks.reference)
        m.d.slow += blink.eq(~blink)
        m.d.sync += seen.eq(blink | terminal.uart_tx)
        m.submodules.keep = Instance("GSR", i_GSR=seen)


def test_a_planted_crossing_is_found():
    platform = BOARDS[BOARD]()
    top = Faulty(platform, Silent(), SLOT_RATES[DEFAULT_SLOT_RATE])
    found = find_crossings(platform, top)
    assert Crossing("", "reference", "sync", None) in found
    (sentence,) = crossing_violations(found)
    assert "takes over a signal of reference with the clock sync" in sentence


class Unknown(ReceiverTop):
    """A terminal with a cell of which nothing is known."""

    def _add_lanes(self, m, platform, terminal):
        m.submodules.unknown = Instance("MULT9X9D", i_A=terminal.uart_tx)


def test_a_cell_of_which_nothing_is_known_is_named():
    platform = BOARDS[BOARD]()
    top = Unknown(platform, Silent(), SLOT_RATES[DEFAULT_SLOT_RATE])
    with pytest.raises(RuleError, match="how MULT9X9D follows its clocks"):
        find_crossings(platform, top)
