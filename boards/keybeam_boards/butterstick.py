"""The ButterStick (LFE5UM5G-85F, DDR3L, two SYZYGY connectors).

Lanes are LVDS pairs on the SYZYGY connectors, which go to banks 6 and 7 on the
left side of the part; outputs are on pads A, which alone drive true LVDS
(FPGA-TN-02032), and both banks are supplied with 2.5 V, which the part itself
sets. Connector 0 is for the source and the lines to the receiver, connector 1
for the random-number chips. The serial port to the host takes two
single-ended pins of connector 0, since the board has no other.

The pin tables are those of SYZYGY's standard pairs: pair D0 is S0 and S2, and
so on (SYZYGY specification 1.1, table 7).
"""

from amaranth.build import Attrs, DiffPairs, Pins, Resource
from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, Value
from amaranth.lib import io
from amaranth_boards.butterstick import ButterStickPlatform
from amaranth_boards.resources import UARTResource

from keybeam.protocol.records import Channel
from keybeam_boards.dram import BoardMemory
from keybeam_boards.receiver_inputs import LINE_PLACES, receiver_inputs
from keybeam_boards.supplies import AdjustableSupplies

__all__ = ["ButterstickPlatform"]

_OUTPUT = Attrs(IO_TYPE="LVDS")
_INPUT = Attrs(IO_TYPE="LVDS", DIFFRESISTOR="100")


def _pair(
    name: str, number: int, pins: tuple[int, int, int], attributes: Attrs = _INPUT
) -> Resource:
    """Give a resource on a connector: number of the connector, true signal, complement."""
    connector, true, complement = pins
    direction = "o" if attributes is _OUTPUT else "i"
    pair = DiffPairs(f"S{true}", f"S{complement}", dir=direction, conn=("syzygy", connector))
    return Resource(name, number, pair, attributes)


class ButterstickPlatform(ButterStickPlatform):
    """The board with the lanes of both terminals, and with its memory for the state log.

    The random-number chips run on the clock that ``random_clock`` gives them, so that they and
    the board move the same number of bits.
    """

    reference_clock = "clk30"
    """Resource of the clock that the edge clock is made from."""
    external_clock = "extclk"
    """Resource of an external reference clock, for slot rates that ask for one."""
    restart_button = "button"
    """Resource of the button that starts everything again."""
    serial_port = "uart"
    """Resource of the serial port to the host."""
    serial_lane = None
    """There is no SERDES lane: its connector is left free."""
    transmitter_lanes = 5
    """Lanes of the transmitter."""
    lane_choice = ()
    """No other number of lanes can be asked for."""
    notes = ()
    """Whoever uses a bitstream has to know nothing more."""
    memory = BoardMemory(chip="MT41K512M16", byte_lanes=2)
    """Memory for the state log. Boards came with 4 and with 8 Gbit: the state log uses 4, whose
    addresses both have, and the core keeps the timing of the larger, which is the slower."""
    timing_device = "LFE5UM-85F"
    """The part that is placed and routed, and judged by. It is the board's own but for the
    transceivers' rate, while the timing data of the 5G part are faster than is credible."""
    receiver_inputs = receiver_inputs(
        {
            Channel.H: "11A",
            Channel.V: "14A",
            Channel.D: "35C",
            Channel.A: "35A",
            Channel.LINE: "50C",
            Channel.PPS: "86C",
            Channel.AUX_1: "38A",
            Channel.AUX_2: "20A",
        }
    )
    """Inputs of the receiver that are tagged."""
    line_places = LINE_PLACES
    """Column and row of each input's delay line."""
    last_column = 126
    """Column of the pads on the right side; those on the left are in column 0."""

    resources = [
        *ButterStickPlatform.resources,
        UARTResource(0, rx="S16", tx="S19", conn=("syzygy", 0), attrs=Attrs(IO_TYPE="LVCMOS25")),
        Resource("extclk", 0, Pins("S28", dir="i", conn=("syzygy", 0)), Attrs(IO_TYPE="LVCMOS25")),
        # transmitter
        _pair("lane", 0, (0, 0, 2), _OUTPUT),
        _pair("lane", 1, (0, 4, 6), _OUTPUT),
        _pair("lane", 2, (0, 5, 7), _OUTPUT),
        _pair("lane", 3, (0, 8, 10), _OUTPUT),
        _pair("lane", 4, (0, 12, 14), _OUTPUT),
        _pair("downlink", 0, (0, 29, 31), _OUTPUT),
        _pair("uplink", 0, (0, 1, 3)),
        _pair("random_clock", 0, (1, 29, 31), _OUTPUT),
        _pair("marker", 0, (1, 0, 2), _OUTPUT),
        _pair("random_a", 0, (1, 1, 3)),
        _pair("random_a", 1, (1, 4, 6)),
        _pair("random_a", 2, (1, 5, 7)),
        _pair("random_a", 3, (1, 8, 10)),
        _pair("random_b", 0, (1, 9, 11)),
        _pair("random_b", 1, (1, 12, 14)),
        _pair("random_b", 2, (1, 13, 15)),
        _pair("random_b", 3, (1, 28, 30)),
        # receiver: detectors H, V, D, A
        _pair("detector", 0, (1, 1, 3)),
        _pair("detector", 1, (1, 4, 6)),
        _pair("detector", 2, (1, 5, 7)),
        _pair("detector", 3, (1, 8, 10)),
        _pair("line", 0, (0, 1, 3)),
        _pair("auxiliary", 0, (1, 9, 11)),
        _pair("auxiliary", 1, (1, 12, 14)),
        # both
        _pair("pps", 0, (0, 9, 11)),
    ]

    def __init__(self):
        super().__init__(toolchain="Trellis", VCCIOA="2V5", VCCIOB="2V5", VCCIOC="3V3")

    def add_supplies(self, m: Module, reference: Value) -> None:
        """Switch the connectors' supplies on.

        Parameters
        ----------
        m : Module
            The design.
        reference : Value
            The board's clock.
        """
        m.domains.supply = ClockDomain(reset_less=True)
        clock_hz = int(self.lookup(self.reference_clock).clock.frequency)
        supplies = AdjustableSupplies((2.5, 2.5, 3.3), clock_hz)
        m.submodules.supplies = DomainRenamer("supply")(supplies)
        pins = self.request("vccio_ctrl", dir={"pdm": "-", "en": "-"})
        m.submodules.supply_control_pads = control = io.Buffer("o", pins.pdm)
        m.submodules.supply_enable_pad = enable = io.Buffer("o", pins.en)
        m.d.comb += [
            ClockSignal("supply").eq(reference),
            control.o.eq(supplies.control),
            enable.o.eq(supplies.enable),
        ]
