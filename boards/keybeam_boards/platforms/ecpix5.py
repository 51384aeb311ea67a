"""LambdaConcept's ECPIX-5 with the LFE5UM5G-85F.

Only Pmods 0 and 1 go to one side of the part as a whole, the right one, in
banks that are supplied with 3.3 V. True LVDS outputs need 2.5 V (FPGA-TN-02032),
so what leaves the transmitter is single-ended: specified to 400 Mb/s, hence
slots of 312.5 MHz. Inputs are LVDS pairs wherever both pins of a pair are on
a Pmod; the part does not terminate them at 3.3 V, and the board does not route
them as pairs: put 100 Ω across each at the Pmod. The transmitter has pins for one
random-number chip.
"""

from amaranth_boards.ecpix5 import ECPIX585Platform

from keybeam.protocol.identity import Role
from keybeam_boards.board import LVDS, Board, pair, single
from keybeam_boards.headers import pmod

__all__ = ["Ecpix5Platform"]


def _pair(name, number, pmod_number, true, complement):
    return pair(name, number, ("pmod", pmod_number), str(true), str(complement), LVDS)


def _single(name, number, pmod_number, pin):
    return single(name, number, ("pmod", pmod_number), str(pin), "LVCMOS33")


class Ecpix5Platform(Board, ECPIX585Platform):
    """The board with the lanes of both terminals.

    Parameters
    ----------
    lanes : int, optional
        Lanes of the transmitter: 5.
    """

    title = "LambdaConcept ECPIX-5 (LFE5UM5G-85F)"
    headers = tuple(pmod(("pmod", number), f"Pmod {number}") for number in (0, 1, 4))
    reference_clock = "clk100"
    restart_button = "rst"
    slot_rates = {Role.TRANSMITTER: "312.5", Role.RECEIVER: "625"}
    timing_device = "LFE5UM-85F"
    loader = ("--board", "ecpix5")
    notes = ("LVDS inputs are not terminated: put 100 Ω across each at the Pmod",)

    resources = [
        *ECPIX585Platform.resources,
        # transmitter
        *(_single("lane", lane, 1, pin) for lane, pin in enumerate((1, 2, 3, 4, 10))),
        _single("marker", 0, 0, 2),
        _single("downlink", 0, 0, 3),
        _single("random_clock", 0, 0, 10),
        *(_single("random_a", bit, 0, pin) for bit, pin in enumerate((1, 4, 8, 9))),
        _single("uplink", 0, 1, 9),
        # both
        _pair("pps", 0, 1, 7, 8),
        # receiver: detectors H, V, D, A
        _pair("detector", 0, 0, 9, 2),
        _pair("detector", 1, 0, 8, 7),
        _pair("detector", 2, 0, 4, 10),
        _pair("detector", 3, 1, 2, 3),
        _pair("line", 0, 1, 9, 4),
        _pair("auxiliary", 0, 4, 8, 7),
        _pair("auxiliary", 1, 4, 2, 1),
    ]
