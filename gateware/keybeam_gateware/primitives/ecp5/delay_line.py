"""A delay line of carry logic, whose picture of a signal is taken by every clock edge.

The carry of an ECP5 slice passes two look-up tables, and each of them shows it at an output of its
own beside a flip-flop (Lattice FPGA-DS-02012, "Slice"). A row of slices so is a delay line with two
taps a slice, as in J. Kalisz, "Review of methods for time interval measurements with picosecond
resolution", Metrologia 41 (2004) 17, section 3.6.

Logic synthesis would take a carry that adds nothing for superfluous, so the cells of the line are
unknown to it: they go through as black boxes, each with the place it must have (`BEL`), and become
cells of the part just before placement (`DELAY_SUBSTITUTES`).
"""

from amaranth.hdl import ClockSignal, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.primitives.ecp5.substitute import Substitute

__all__ = ["DELAY_SUBSTITUTES", "SLICES_PER_TILE", "TAPS_PER_SLICE", "DelayLine"]

SLICES_PER_TILE = 4
"""Slices of a logic tile, A to D; the carry goes from A to D and on to the next column."""
TAPS_PER_SLICE = 2
"""Look-up tables of a slice."""

_BLACK_BOXES = """\
(* blackbox *) module KEYBEAM_DELAY_ENTRY (input A, output FCO); endmodule
(* blackbox *) module KEYBEAM_DELAY_TAP (input FCI, output FCO, output F); endmodule
(* blackbox *) module KEYBEAM_DELAY_END (input FCI, output F); endmodule
(* blackbox *) module KEYBEAM_DELAY_REGISTER (input CLK, input DI, output Q); endmodule
"""


def _carry(table: int) -> Substitute:
    """Half a slice in carry mode: the carry passes where the look-up table gives 1."""
    settings = {"MODE": "CCU2", "INITVAL": f"{table:016b}", "CCU2_INJECT1": "NO"}
    return Substitute("TRELLIS_COMB", settings)


_PASS = _carry(0xFFFF)
DELAY_SUBSTITUTES = {
    # Open inputs are 1, so the upper half of the table is read: no pass; the low bits give A.
    "KEYBEAM_DELAY_ENTRY": _carry(0x000A),
    "KEYBEAM_DELAY_TAP": _PASS,
    "KEYBEAM_DELAY_END": _PASS,
    "KEYBEAM_DELAY_REGISTER": Substitute(
        "TRELLIS_FF",
        {
            "GSR": "DISABLED",
            "CEMUX": "1 ",  # the blank keeps it from being read as a number
            "CLKMUX": "CLK",
            "LSRMUX": "LSR",
            "REGSET": "RESET",
            "SRMODE": "LSR_OVER_CE",
            "SD": "1 ",
        },
    ),
}
"""What each black box becomes between synthesis and placement."""


class DelayLine(wiring.Component):
    """Delay line in one row of slices, from left to right.

    Tap k shows at every rising edge of ``sync`` what `line` was some time before; the time grows
    with k by about 25 ps on average, but unevenly, and not always monotonically.

    The first slice takes the signal in and has no taps.

    Parameters
    ----------
    slices : int
        Slices with taps.
    column, row : int
        Tile of the first slice.

    Members
    -------
    line : In(1)
        The signal, not synchronous to anything; best straight from its pad.
    taps : Out(2 * slices)
        What the taps showed at the last clock edge, the latest lowest.
    """

    def __init__(self, slices: int, *, column: int, row: int) -> None:
        self._column, self._row = column, row
        super().__init__({"line": In(1), "taps": Out(TAPS_PER_SLICE * slices)})

    def elaborate(self, platform):
        m = Module()
        if platform is not None:
            platform.add_file("keybeam_delay_cells.v", _BLACK_BOXES)
        carry = Signal(name="entered")
        self._add(m, "entry", "KEYBEAM_DELAY_ENTRY", 0, "K0", i_A=self.line, o_FCO=carry)
        passed = Signal(name="passed")
        self._add(m, "start", "KEYBEAM_DELAY_TAP", 0, "K1", i_FCI=carry, o_FCO=passed)
        carry, last = passed, len(self.taps) - 1
        captured = Signal(len(self.taps))
        for tap in range(len(self.taps)):
            place, half = divmod(tap, TAPS_PER_SLICE)
            shown, following = Signal(name=f"shown_{tap}"), Signal(name=f"carry_{tap}")
            kind = "KEYBEAM_DELAY_END" if tap == last else "KEYBEAM_DELAY_TAP"
            onward = {} if tap == last else {"o_FCO": following}
            self._add(
                m, f"tap_{tap}", kind, place + 1, f"K{half}", i_FCI=carry, o_F=shown, **onward
            )
            self._add(
                m,
                f"register_{tap}",
                "KEYBEAM_DELAY_REGISTER",
                place + 1,
                f"FF{half}",
                i_CLK=ClockSignal("sync"),
                i_DI=shown,
                o_Q=captured[tap],
            )
            carry = following
        # A look-up table shows the opposite of the carry.
        m.d.comb += self.taps.eq(~captured)
        return m

    def _add(self, m, name, kind, place, bel, **ports):
        """Add a cell in a slice of the row, counted from the first."""
        tile, slice_ = divmod(place, SLICES_PER_TILE)
        m.submodules[name] = Instance(
            kind,
            a_keep=1,
            a_BEL=f"X{self._column + tile}/Y{self._row}/SLICE{'ABCD'[slice_]}.{bel}",
            **ports,
        )
