"""LogicBone with the LFE5UM5G-45F.

All 32 pins of the lanes on header P8 go to bank 2 on the right side of the part,
as 16 pairs; outputs are on pads A, which alone drive true LVDS (FPGA-TN-02032),
for which the bank must be supplied with 2.5 V. The transmitter has pins for one
random-number chip. The board has no serial port: it is on pins 24 and 26 of P9,
where the BeagleBone has its UART 1. A receiver does not fit: even without delay
lines it has 38 757 flip-flops of the part's 43 848, and nextpnr finds no place for
all of its cells.
"""

from amaranth.build import Attrs
from amaranth_boards.logicbone import LogicbonePlatform as _Logicbone
from amaranth_boards.resources import UARTResource

from keybeam.protocol.identity import Role
from keybeam_boards.board import LVDS, LVDS_TERMINATED, Board, pair
from keybeam_boards.headers import dual_row
from keybeam_boards.rates import DEFAULT_SLOT_RATE

__all__ = ["LogicbonePlatform"]


def _pair(name, number, true, attributes=LVDS_TERMINATED):
    # The complement is the following pin, and in amaranth-boards P8 is a name of its own.
    return pair(name, number, ("P8", 0), str(true), str(true + 1), attributes)


class LogicbonePlatform(Board, _Logicbone):
    """The board with the lanes of the transmitter.

    Parameters
    ----------
    lanes : int, optional
        Lanes of the transmitter: 5.
    """

    title = "LogicBone (LFE5UM5G-45F)"
    headers = (dual_row(("P8", 0), "P8", 46), dual_row(("P9", 0), "P9", 46))
    reference_clock = "refclk"
    restart_button = "button"
    serial_lane = ("serdes", 0)
    slot_rates = {Role.TRANSMITTER: DEFAULT_SLOT_RATE}
    no_role = "even without delay lines it takes 88 % of the part's flip-flops, and is not placed"
    timing_device = "LFE5UM-45F"
    # Its own boot loader is a DFU device.
    loader = ("--dfu", "--vid", "0x1d50", "--pid", "0x615d", "--altsetting", "0")
    notes = ("bank 2 must be supplied with 2.5 V: measure VCCIO2 first",)

    resources = [
        *_Logicbone.resources,
        UARTResource(0, rx="26", tx="24", conn=("P9", 0), attrs=Attrs(IO_TYPE="LVCMOS33")),
        *(_pair("lane", lane, pin, LVDS) for lane, pin in enumerate((27, 29, 33, 41, 3))),
        _pair("marker", 0, 7, LVDS),
        _pair("downlink", 0, 23, LVDS),
        _pair("random_clock", 0, 43, LVDS),
        *(_pair("random_a", bit, pin) for bit, pin in enumerate((35, 31, 37, 39))),
        _pair("uplink", 0, 5),
        _pair("pps", 0, 9),
    ]
