"""Every board's pins against the part's own tables and against the rules of the lanes."""

import pytest

from keybeam.protocol.identity import Role
from keybeam.protocol.records import DETECTOR_CHANNELS, Channel
from keybeam_boards.board import RECEIVER_RESOURCES, TRANSMITTER_RESOURCES
from keybeam_boards.pads import balls, last_column, places_of_balls, receiver_inputs
from keybeam_boards.platforms import BOARDS
from keybeam_boards.rates import SLOT_RATES
from keybeam_boards.rules import EDGE_CLOCK_LIMIT_HZ, IO_RATE_HZ, X1_RATE_HZ

ROLES = [(name, role) for name, board in BOARDS.items() for role in board.slot_rates]
RESOURCES = {
    Role.TRANSMITTER: list(TRANSMITTER_RESOURCES),
    Role.RECEIVER: list(RECEIVER_RESOURCES.values()),
}


def used(platform, role):
    """Resources of a role that the board has."""
    return [name for name in RESOURCES[role] if name in platform.resources]


def io_type(platform, name):
    return platform.lookup(*name).attrs["IO_TYPE"]


@pytest.mark.parametrize(("board", "role"), ROLES)
def test_lanes_are_on_one_side_and_fast_enough_and_no_pin_is_used_twice(board, role):
    platform = BOARDS[board]()
    places = places_of_balls(platform.device, platform.package)
    slot_hz = SLOT_RATES[platform.slot_rates[role]].slot_hz
    sides, seen = set(), []
    for name in used(platform, role):
        pads = [places[ball] for ball in balls(platform, *name)]
        seen += balls(platform, *name)
        sides |= {pad.column for pad in pads}
        assert slot_hz <= IO_RATE_HZ[io_type(platform, name)]
        outward = role is Role.TRANSMITTER and TRANSMITTER_RESOURCES[name] == "o"
        # No other pad has the whole cell that samples (Project Trellis).
        assert platform.x1_lanes or outward or pads[0].letter in "AC"
        if io_type(platform, name) == "LVDS":
            true, complement = pads
            assert (true.row, true.column) == (complement.row, complement.column)
            assert true.letter + complement.letter in (("AB",) if outward else ("AB", "CD"))
    if platform.x1_lanes:
        assert slot_hz <= X1_RATE_HZ
    else:
        assert sides in ({0}, {last_column(platform.device)})
    assert len(set(seen)) == len(seen)
    assert slot_hz / 2 <= EDGE_CLOCK_LIMIT_HZ[platform.speed]


@pytest.mark.parametrize("board", [name for name, role in ROLES if role is Role.TRANSMITTER])
def test_a_transmitter_has_what_it_cannot_do_without(board):
    platform = BOARDS[board]()
    has = set(used(platform, Role.TRANSMITTER))
    needed = {("lane", number) for number in range(platform.transmitter_lanes)}
    needed |= {("marker", 0), ("downlink", 0), ("random_clock", 0), ("uplink", 0), ("pps", 0)}
    assert needed | {("random_a", bit) for bit in range(4)} <= has
    assert sum(name == "random_b" for name, _ in has) in (0, 4)


@pytest.mark.parametrize("board", [name for name, role in ROLES if role is Role.RECEIVER])
def test_a_receiver_has_what_it_cannot_do_without(board):
    inputs = receiver_inputs(BOARDS[board]())
    assert {*DETECTOR_CHANNELS, Channel.LINE, Channel.PPS} <= inputs.keys()


@pytest.mark.parametrize("board", BOARDS)
def test_every_pin_of_a_terminal_is_on_a_header_that_is_drawn(board):
    platform = BOARDS[board]()
    drawn = {
        f"{name}_{number}:{pin}"
        for header in platform.headers
        for name, number in [header.connector]
        for row in header.rows
        for pin in row
    }
    for role in platform.roles:
        for name in used(platform, role):
            resource = platform.lookup(*name)
            (pins,) = resource.ios
            names = [*pins.p.names, *pins.n.names] if hasattr(pins, "p") else pins.names
            assert set(names) <= drawn
    # And no pin that the board has is left out of the drawing.
    for header in platform.headers:
        mapping = platform.connectors[header.connector].mapping
        shown = {mapping[pin] for row in header.rows for pin in row if pin in mapping}
        assert shown >= set(mapping.values()) or header.connector[0] == "syzygy"


def test_the_edge_for_pci_express_is_on_the_serdes():
    platform = BOARDS["versa_ecp5_5g"]()
    pins = platform.request("pcie", 0, dir={"clk": "-", "rx": "-", "tx": "-", "perst": "-"})
    # Channel 0 of unit 0 and its reference clock, as on the other boards in this package (BG381).
    assert [pins.tx.p.metadata[0].name, pins.tx.n.metadata[0].name] == ["W4", "W5"]
    assert [pins.rx.p.metadata[0].name, pins.rx.n.metadata[0].name] == ["Y5", "Y6"]
    assert [pins.clk.p.metadata[0].name, pins.clk.n.metadata[0].name] == ["Y11", "Y12"]
    assert pins.perst.invert == (True,)
