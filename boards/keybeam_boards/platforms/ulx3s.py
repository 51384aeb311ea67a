"""Radiona's ULX3S with the LFE5U-85F.

Pairs 14 to 21 of the pin headers go to the right side of the part, in banks that
are supplied with 3.3 V, so outputs are single-ended. The part is of speed grade
−6: slots of 312.5 MHz are within its data sheet, those of 625 MHz are not, and
such a build is for the lab only. The transmitter has pins for one random-number
chip. LVDS inputs are not terminated by the part: put 100 Ω across each.
"""

from amaranth_boards.ulx3s import ULX3S_85F_Platform

from keybeam.protocol.identity import Role
from keybeam_boards.board import LVDS, Board, pair, single
from keybeam_boards.headers import rows_of

__all__ = ["Ulx3sPlatform"]

_HEADER = ("gpio", 0)
_ROWS = tuple(" ".join(f"{pin}{sign}" for pin in range(28)) for sign in "+-")


def _pair(name, number, gpio):
    return pair(name, number, _HEADER, f"{gpio}+", f"{gpio}-", LVDS)


def _single(name, number, pin):
    return single(name, number, _HEADER, pin, "LVCMOS33")


class Ulx3sPlatform(Board, ULX3S_85F_Platform):
    """The board with the lanes of both terminals.

    Parameters
    ----------
    lanes : int, optional
        Lanes of the transmitter: 5.
    """

    title = "Radiona ULX3S (LFE5U-85F)"
    headers = (rows_of(_HEADER, "J1, J2: GP above (+), GN below (−)", *_ROWS),)
    reference_clock = "clk25"
    restart_button = "button_fire"
    slot_rates = dict.fromkeys(Role, "312.5")
    lines = 0
    timing_device = "LFE5U-85F"
    loader = ("--board", "ulx3s")
    notes = ("LVDS inputs are not terminated: put 100 Ω across each at the header",)

    resources = [
        *ULX3S_85F_Platform.resources,
        # transmitter; inputs are on pads A, the only ones of a pair here that sample
        *(
            _single("lane", lane, pin)
            for lane, pin in enumerate(("14+", "14-", "15+", "15-", "16-"))
        ),
        _single("marker", 0, "17-"),
        _single("downlink", 0, "18-"),
        _single("random_clock", 0, "19-"),
        *(_single("random_a", bit, pin) for bit, pin in enumerate(("17+", "18+", "19+", "20+"))),
        _single("uplink", 0, "16+"),
        # both
        _pair("pps", 0, 21),
        # receiver: detectors H, V, D, A
        *(_pair("detector", number, 14 + number) for number in range(4)),
        _pair("line", 0, 18),
        _pair("auxiliary", 0, 19),
        _pair("auxiliary", 1, 20),
    ]
