"""Lattice's ECP5-5G evaluation board (LFE5UM5G-85F-EVN).

Lanes run at 625 Mb/s, which single-ended buffers do not reach, so every one is
an LVDS pair on the headers J32 and J33, whose pins the board routes as pairs,
all to bank 7 on the left side of the part. Only pads A have a true LVDS driver
(FPGA-TN-02032), and their pairs carry the outputs; pairs C carry inputs.
"""

from amaranth.build import Attrs, DiffPairs, Resource
from amaranth_boards.ecp5_5g_evn import ECP55GEVNPlatform

__all__ = ["Ecp55GEvnPlatform"]

_OUTPUT = Attrs(IO_TYPE="LVDS")
_INPUT = Attrs(IO_TYPE="LVDS", DIFFRESISTOR="100")


def _pair(name: str, number: int, pins: tuple[int, str], direction: str) -> Resource:
    """Give a resource on a header's pair: the true pin is `pins`, its complement the one below."""
    header, pin = pins
    attributes = _OUTPUT if direction == "o" else _INPUT
    pair = DiffPairs(pin, str(int(pin) - 1), dir=direction, conn=("J", header))
    return Resource(name, number, pair, attributes)


class Ecp55GEvnPlatform(ECP55GEVNPlatform):
    """The board with the lanes of both terminals.

    The random-number chip runs on the clock that ``random_clock`` gives it, so that it and the
    board move the same number of bits.
    """

    reference_clock = "clk12"
    """Resource of the clock that the edge clock is made from."""
    restart_button = "rst"
    """Resource of the button that starts everything again."""
    serial_port = "uart"
    """Resource of the serial port to the host."""
    timing_device = "LFE5UM-85F"
    """The part that is placed and routed, and judged by. It is the board's own but for the
    transceivers' rate, while the timing data of the 5G part are faster than is credible."""
    last_column = 126
    """Column of the pads on the right side; those on the left are in column 0."""

    resources = [
        *ECP55GEVNPlatform.resources,
        # transmitter
        _pair("trigger", 0, (32, "6"), "o"),
        _pair("intensity", 0, (32, "14"), "o"),
        _pair("intensity", 1, (32, "22"), "o"),
        _pair("polarisation", 0, (32, "30"), "o"),
        _pair("polarisation", 1, (32, "38"), "o"),
        _pair("downlink", 0, (33, "10"), "o"),
        _pair("random_clock", 0, (33, "18"), "o"),
        _pair("random", 0, (32, "10"), "i"),
        _pair("random", 1, (32, "18"), "i"),
        _pair("random", 2, (32, "26"), "i"),
        _pair("random", 3, (32, "34"), "i"),
        # receiver: detectors H, V, D, A
        _pair("detector", 0, (32, "6"), "i"),
        _pair("detector", 1, (32, "10"), "i"),
        _pair("detector", 2, (32, "14"), "i"),
        _pair("detector", 3, (32, "18"), "i"),
        _pair("line", 0, (33, "10"), "i"),
        _pair("pps", 0, (33, "14"), "i"),
    ]

    def __init__(self):
        super().__init__(toolchain="Trellis")
