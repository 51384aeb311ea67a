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

from amaranth.build import Attrs, DiffPairs, Resource
from amaranth.hdl import Module, Value
from amaranth_boards.ecp5_5g_evn import ECP55GEVNPlatform

from keybeam.protocol.lanes import LANES
from keybeam.protocol.records import Channel
from keybeam_boards.receiver_inputs import LINE_PLACES, receiver_inputs

__all__ = ["FEWEST_LANES", "Ecp55GEvnPlatform"]

FEWEST_LANES = 5
"""Lanes of a transmitter with a single laser and two modulators for each of two properties."""

_OUTPUT = Attrs(IO_TYPE="LVDS")
_INPUT = Attrs(IO_TYPE="LVDS", DIFFRESISTOR="100")
_UNTERMINATED = Attrs(IO_TYPE="LVDS")  # the part terminates at 2.5 V only


def _pair(
    name: str, number: int, pins: tuple[int, int, int], attributes: Attrs = _INPUT
) -> Resource:
    """Give a resource on a header: number of the header, true pin, complement."""
    header, true, complement = pins
    direction = "o" if attributes is _OUTPUT else "i"
    pair = DiffPairs(str(true), str(complement), dir=direction, conn=("J", header))
    return Resource(name, number, pair, attributes)


class Ecp55GEvnPlatform(ECP55GEVNPlatform):
    """The board with the lanes of both terminals.

    The random-number chips run on the clock that ``random_clock`` gives them, so that they and
    the board move the same number of bits.

    Parameters
    ----------
    lanes : int
        Lanes of the transmitter, 5 to 8. More than 5 need bank 6 supplied with 2.5 V instead of
        3.3 V: R104 instead of R99.
    """

    reference_clock = "clk12"
    """Resource of the clock that the edge clock is made from."""
    external_clock = "extclk"
    """Resource of an external reference clock, for slot rates that ask for one."""
    restart_button = "rst"
    """Resource of the button that starts everything again."""
    serial_port = "uart"
    """Resource of the serial port to the host."""
    serial_lane = ("serdes", 0)
    """Resource of the transmitter's SERDES lane: channel 0 of unit 0."""
    memory = None
    """There is no memory for the state log but that in the part."""
    lane_choice = range(FEWEST_LANES, LANES + 1)
    """Lanes that a transmitter may have."""
    timing_device = "LFE5UM-85F"
    """The part that is placed and routed, and judged by. It is the board's own but for the
    transceivers' rate, while the timing data of the 5G part are faster than is credible."""
    receiver_inputs = receiver_inputs(
        {
            Channel.H: "11A",
            Channel.V: "11C",
            Channel.D: "14A",
            Channel.A: "14C",
            Channel.LINE: "38A",
            Channel.PPS: "47C",
            Channel.AUX_1: "17A",
            Channel.AUX_2: "17C",
        }
    )
    """Inputs of the receiver that are tagged."""
    line_places = LINE_PLACES
    """Column and row of each input's delay line."""
    last_column = 126
    """Column of the pads on the right side; those on the left are in column 0."""

    resources = [
        *ECP55GEVNPlatform.resources,
        # transmitter, bank 7
        _pair("lane", 0, (32, 6, 5), _OUTPUT),
        _pair("lane", 1, (32, 14, 13), _OUTPUT),
        _pair("lane", 2, (32, 22, 21), _OUTPUT),
        _pair("lane", 3, (32, 30, 29), _OUTPUT),
        _pair("lane", 4, (32, 38, 37), _OUTPUT),
        _pair("downlink", 0, (33, 10, 9), _OUTPUT),
        _pair("random_clock", 0, (33, 18, 17), _OUTPUT),
        _pair("marker", 0, (33, 26, 25), _OUTPUT),
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
        _pair("pps", 0, (40, 5, 6), _UNTERMINATED),
        # transmitter, bank 6
        _pair("uplink", 0, (40, 9, 10), _UNTERMINATED),
        _pair("lane", 5, (40, 13, 14), _OUTPUT),
        _pair("lane", 6, (40, 17, 18), _OUTPUT),
        _pair("lane", 7, (40, 27, 28), _OUTPUT),
    ]

    def __init__(self, lanes: int = FEWEST_LANES):
        if lanes not in self.lane_choice:
            raise ValueError(f"the board has {FEWEST_LANES} to {LANES} lanes, not {lanes}")
        self.transmitter_lanes = lanes
        self.notes = ("bank 7 must be supplied with 2.5 V: measure VCCIO7 first",)
        if lanes > FEWEST_LANES:
            self.notes += ("bank 6 must be supplied with 2.5 V: R104 instead of R99",)
        super().__init__(toolchain="Trellis", VCCIO6="2V5" if lanes > FEWEST_LANES else "3V3")

    def add_supplies(self, m: Module, reference: Value) -> None:
        """Do nothing: all supplies are fixed."""
