"""Lattice's ECP5-5G Versa board (LFE5UM5G-45F).

The pins of its connectors X3 and X4 go to the top of the part, where there are neither x2 cells
nor delay cells. So lanes go through x1 cells, which do for slots of 312.5 MHz, and those of X4 are
enough for a transmitter. The board has an edge for PCI Express besides, one lane wide, on channel
0 of unit 0 of the SERDES.
"""

from amaranth.build import Attrs, Clock, DiffPairs, PinsN, Resource, Subsignal
from amaranth_boards.versa_ecp5_5g import VersaECP55GPlatform

from keybeam.protocol.identity import Role
from keybeam.protocol.lanes import LANES
from keybeam_boards.board import FEWEST_LANES, Board, single
from keybeam_boards.headers import dual_row

__all__ = ["VersaEcp55GPlatform"]

_HEADER = ("expcon", 2)


def _single(name, number, pin):
    return single(name, number, _HEADER, str(pin), "LVCMOS33")


class VersaEcp55GPlatform(Board, VersaECP55GPlatform):
    """The board with the lanes of a transmitter, and its edge for PCI Express.

    Parameters
    ----------
    lanes : int, optional
        Lanes of the transmitter, 5 to 8.
    """

    title = "Lattice ECP5-5G Versa board (LFE5UM5G-45F)"
    headers = (dual_row(_HEADER, "X4", 40),)
    reference_clock = "clk100"
    restart_button = "rst"
    links = ("UART", "PCIe x1")
    lane_choice = range(FEWEST_LANES, LANES + 1)
    x1_lanes = True
    slot_rates = {Role.TRANSMITTER: "312.5"}
    no_role = "no pin of its connectors is on the left or the right side, where x2 cells are"
    timing_device = "LFE5UM-45F"
    # With the first seed a path between the two clocks of the x1 lanes is too long by 10 ps.
    seeds = {Role.TRANSMITTER: 3}
    loader = ("--cable", "ft2232")
    notes = (
        "banks 0 and 1 must be supplied with 3.3 V: measure VCCIO1 first",
        "lanes have no fine delay: there are no delay cells at the top of the part",
    )

    resources = [
        *VersaECP55GPlatform.resources,
        *(_single("lane", lane, pin) for lane, pin in enumerate((3, 4, 5, 6, 7, 31, 32, 33))),
        _single("marker", 0, 8),
        _single("downlink", 0, 9),
        _single("random_clock", 0, 10),
        *(_single("random_a", bit, pin) for bit, pin in enumerate((11, 12, 17, 18))),
        *(_single("random_b", bit, pin) for bit, pin in enumerate((21, 23, 25, 27))),
        _single("uplink", 0, 28),
        _single("pps", 0, 29),
        Resource(
            "pcie",
            0,
            Subsignal("clk", DiffPairs("Y11", "Y12", dir="i"), Clock(100e6)),
            Subsignal("rx", DiffPairs("Y5", "Y6", dir="i")),
            Subsignal("tx", DiffPairs("W4", "W5", dir="o")),
            Subsignal("perst", PinsN("A6", dir="i"), Attrs(IO_TYPE="LVCMOS33")),
        ),
    ]
