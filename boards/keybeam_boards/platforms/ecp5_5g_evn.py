"""Lattice's ECP5-5G evaluation board (LFE5UM5G-85F-EVN).

Lanes run at 625 Mb/s, which single-ended buffers do not reach, so every one is
an LVDS pair. The headers J32 and J33 are routed as pairs, to bank 7 on the left
side of the part; what finds no place there is on J40, whose pins go to bank 6 on
the same side. Only pads A have a true LVDS driver (FPGA-TN-02032), and their
pairs carry the outputs; pairs C carry inputs.

Outputs need a bank supplied with 2.5 V. Bank 7 has to be so. Bank 6 comes with
3.3 V, for the serial port among others, so lanes 5 to 7 of the transmitter can
be had only if its supply is changed.
"""

from amaranth_boards.ecp5_5g_evn import ECP55GEVNPlatform

from keybeam.protocol.lanes import LANES
from keybeam_boards.board import FEWEST_LANES, LVDS, LVDS_TERMINATED, Board, pair
from keybeam_boards.headers import dual_row

__all__ = ["Ecp55GEvnPlatform"]


def _pair(name, number, pins, attributes=LVDS_TERMINATED):
    header, true, complement = pins
    return pair(name, number, ("J", header), str(true), str(complement), attributes)


class Ecp55GEvnPlatform(Board, ECP55GEVNPlatform):
    """The board with the lanes of both terminals.

    The random-number chips run on the clock that ``random_clock`` gives them, so that they and
    the board move the same number of bits.

    Parameters
    ----------
    lanes : int, optional
        Lanes of the transmitter, 5 to 8. More than 5 need bank 6 supplied with 2.5 V instead of
        3.3 V: R104 instead of R99.
    """

    title = "Lattice ECP5-5G evaluation board (LFE5UM5G-85F-EVN)"
    headers = (
        dual_row(("J", 32), "J32", 40),
        dual_row(("J", 33), "J33", 32),
        dual_row(("J", 40), "J40", 40),
    )
    reference_clock = "clk12"
    external_clock = "extclk"
    restart_button = "rst"
    serial_lane = ("serdes", 0)
    lane_choice = range(FEWEST_LANES, LANES + 1)
    timing_device = "LFE5UM-85F"
    loader = ("--board", "ecp5_evn")

    resources = [
        *ECP55GEVNPlatform.resources,
        # transmitter, bank 7
        _pair("lane", 0, (32, 6, 5), LVDS),
        _pair("lane", 1, (32, 14, 13), LVDS),
        _pair("lane", 2, (32, 22, 21), LVDS),
        _pair("lane", 3, (32, 30, 29), LVDS),
        _pair("lane", 4, (32, 38, 37), LVDS),
        _pair("downlink", 0, (33, 10, 9), LVDS),
        _pair("random_clock", 0, (33, 18, 17), LVDS),
        _pair("marker", 0, (33, 26, 25), LVDS),
        _pair("random_a", 0, (32, 10, 9)),
        _pair("random_a", 1, (32, 18, 17)),
        _pair("random_a", 2, (32, 26, 25)),
        _pair("random_a", 3, (32, 34, 33)),
        _pair("random_b", 0, (33, 6, 5)),
        _pair("random_b", 1, (33, 14, 13)),
        _pair("random_b", 2, (33, 22, 21)),
        _pair("random_b", 3, (33, 30, 29)),
        # receiver, bank 7: detectors H, V, D, A
        _pair("detector", 0, (32, 6, 5)),
        _pair("detector", 1, (32, 10, 9)),
        _pair("detector", 2, (32, 14, 13)),
        _pair("detector", 3, (32, 18, 17)),
        _pair("line", 0, (33, 10, 9)),
        _pair("auxiliary", 0, (32, 22, 21)),
        _pair("auxiliary", 1, (32, 26, 25)),
        # both, bank 6
        _pair("pps", 0, (40, 5, 6), LVDS),
        # transmitter, bank 6
        _pair("uplink", 0, (40, 9, 10), LVDS),
        _pair("lane", 5, (40, 13, 14), LVDS),
        _pair("lane", 6, (40, 17, 18), LVDS),
        _pair("lane", 7, (40, 27, 28), LVDS),
    ]

    def __init__(self, lanes: int | None = None):
        more = (lanes or FEWEST_LANES) > FEWEST_LANES
        super().__init__(lanes, VCCIO6="2V5" if more else "3V3")
        self.notes = ("bank 7 must be supplied with 2.5 V: measure VCCIO7 first",)
        if more:
            self.notes += ("bank 6 must be supplied with 2.5 V: R104 instead of R99",)
