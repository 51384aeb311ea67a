"""Every signal that goes from one clock to another, in both terminals on their board."""

import re

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from crossings import Crossing, find_crossings

from keybeam.protocol.identity import Role
from keybeam.protocol.records import TAGGED_CHANNELS
from keybeam_boards.bitstream import BOARDS
from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES
from keybeam_boards.tops import ReceiverTop, make_top

BOARD = "ecp5_5g_evn"

OF_ALL = {
    # Two flip-flops in a row in the reference's time (keybeam_gateware.primitives.ecp5.clocks).
    Crossing("clocks", "lock of a PLL", "reference", reviewed=False),
    Crossing("clocks", "pad", "reference", reviewed=False),
    Crossing("terminal.link.uart_receiver.synchroniser", "pad", "sync", reviewed=True),
}
OF_THE_TRANSMITTER = {
    Crossing("rings.ring_N_N_sampler", "ring oscillator", "sync", reviewed=True),
    Crossing("serial_lane.lock", "lock of a SERDES", "sync", reviewed=True),
}
OF_THE_RECEIVER = {
    Crossing("to_reference", "sync", "reference", reviewed=True),
    Crossing("terminal.core.tagging.shared.synchroniser", "ring oscillator", "sync", reviewed=True),
    # To take what has no time of its own is what a delay line is for; a cycle for its flip-flops to
    # settle is left by the encoder.
    *(
        Crossing(
            f"delay_line_{re.sub('[0-9]', 'N', channel.name.lower())}_N", source, "sync", False
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
def test_crossings_are_the_reviewed_ones(role, expected, monkeypatch):
    platform = BOARDS[BOARD]()
    assert find_crossings(platform, make_top(platform, role, 0), monkeypatch) == expected


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


def test_a_planted_crossing_is_found(monkeypatch):
    platform = BOARDS[BOARD]()
    top = Faulty(platform, Silent(), SLOT_RATES[DEFAULT_SLOT_RATE])
    found = find_crossings(platform, top, monkeypatch)
    assert Crossing("", "reference", "sync", reviewed=False) in found
