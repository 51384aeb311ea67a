"""Lattice's ECP5-5G Versa board (LFE5UM5G-45F), with its edge for PCI Express.

No pin of its connectors goes to the left or the right side of the part, where
the cells of the lanes are, so the board can be no terminal. What it has is the
edge for PCI Express, one lane wide, on channel 0 of unit 0 of the SERDES.
"""

from amaranth.build import Attrs, Clock, DiffPairs, PinsN, Resource, Subsignal
from amaranth_boards.versa_ecp5_5g import VersaECP55GPlatform

from keybeam_boards.board import Board

__all__ = ["VersaEcp55GPlatform"]


class VersaEcp55GPlatform(Board, VersaECP55GPlatform):
    """The board with its edge for PCI Express.

    Parameters
    ----------
    lanes : int, optional
        No number: it can be no transmitter.
    """

    title = "Lattice ECP5-5G Versa board (LFE5UM5G-45F)"
    reference_clock = "clk100"
    restart_button = "rst"
    links = ("UART", "PCIe x1")
    slot_rates = {}
    no_role = "no pin of its connectors is on the left or the right side, where lane cells are"
    timing_device = "LFE5UM-45F"
    loader = ("--cable", "ft2232")

    resources = [
        *VersaECP55GPlatform.resources,
        Resource(
            "pcie",
            0,
            Subsignal("clk", DiffPairs("Y11", "Y12", dir="i"), Clock(100e6)),
            Subsignal("rx", DiffPairs("Y5", "Y6", dir="i")),
            Subsignal("tx", DiffPairs("W4", "W5", dir="o")),
            Subsignal("perst", PinsN("A6", dir="i"), Attrs(IO_TYPE="LVCMOS33")),
        ),
    ]
