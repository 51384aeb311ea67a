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

from amaranth.build import Attrs, Pins, Resource
from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, Value
from amaranth.lib import io
from amaranth_boards.butterstick import ButterStickPlatform
from amaranth_boards.resources import UARTResource

from keybeam.protocol.identity import Role
from keybeam_boards.board import LVDS, LVDS_TERMINATED, Board, BoardMemory, pair
from keybeam_boards.headers import rows_of
from keybeam_boards.supplies import AdjustableSupplies

__all__ = ["ButterstickPlatform"]

_ROWS = tuple(" ".join(f"S{signal}" for signal in range(first, 32, 2)) for first in (0, 1))


def _pair(name, number, pins, attributes=LVDS_TERMINATED):
    connector, true, complement = pins
    return pair(name, number, ("syzygy", connector), f"S{true}", f"S{complement}", attributes)


class ButterstickPlatform(Board, ButterStickPlatform):
    """The board with the lanes of both terminals, and with its memory for the state log.

    The random-number chips run on the clock that ``random_clock`` gives them, so that they and
    the board move the same number of bits.

    Parameters
    ----------
    lanes : int, optional
        Lanes of the transmitter: 5.
    """

    title = "ButterStick (LFE5UM5G-85F)"
    headers = (
        rows_of(("syzygy", 0), "SYZYGY port 0", *_ROWS),
        rows_of(("syzygy", 1), "SYZYGY port 1", *_ROWS),
    )
    reference_clock = "clk30"
    external_clock = "extclk"
    restart_button = "button"
    memory = BoardMemory(chip="MT41K512M16", byte_lanes=2)
    """Memory for the state log. Boards came with 4 and with 8 Gbit: the state log uses 4, whose
    addresses both have, and the core keeps the timing of the larger, which is the slower."""
    timing_device = "LFE5UM-85F"
    # With the first seed the transmitter misses its clock by half a per cent.
    seeds = {Role.TRANSMITTER: 2}
    loader = ()
    needs_cable = True

    resources = [
        *ButterStickPlatform.resources,
        UARTResource(0, rx="S16", tx="S19", conn=("syzygy", 0), attrs=Attrs(IO_TYPE="LVCMOS25")),
        Resource("extclk", 0, Pins("S28", dir="i", conn=("syzygy", 0)), Attrs(IO_TYPE="LVCMOS25")),
        # transmitter
        _pair("lane", 0, (0, 0, 2), LVDS),
        _pair("lane", 1, (0, 4, 6), LVDS),
        _pair("lane", 2, (0, 5, 7), LVDS),
        _pair("lane", 3, (0, 8, 10), LVDS),
        _pair("lane", 4, (0, 12, 14), LVDS),
        _pair("downlink", 0, (0, 29, 31), LVDS),
        _pair("uplink", 0, (0, 1, 3)),
        _pair("random_clock", 0, (1, 29, 31), LVDS),
        _pair("marker", 0, (1, 0, 2), LVDS),
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

    def __init__(self, lanes: int | None = None):
        super().__init__(lanes, VCCIOA="2V5", VCCIOB="2V5", VCCIOC="3V3")

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
