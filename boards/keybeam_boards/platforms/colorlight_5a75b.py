"""Colorlight 5A-75B, revision 7.0 (LFE5U-25F).

The pins of J5, J6 and J7 that no other connector shares go to the right side of
the part, single-ended. Between part and connectors the board has buffers
74HC245, which drive outwards only and do not follow 312.5 Mb/s: they have to be
taken off and bridged, and the pins then bear 3.3 V and not 5 V. The part is of
speed grade −6: slots of 312.5 MHz are within its data sheet, those of 625 MHz are
not, and such a build is for the lab only. There are pins for one random-number
chip. The serial port is on J19. A receiver does not fit: even without delay lines
it has some 32 000 look-up tables, the part 24 288.
"""

from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform

from keybeam.protocol.identity import Role
from keybeam_boards.board import Board, single
from keybeam_boards.headers import dual_row, rows_of

__all__ = ["Colorlight5A75BPlatform"]


_SAMPLING = ((6, 1), (6, 3), (6, 7), (7, 2))
"""Connector and pin of the chip's bits."""


def _single(name, number, header, pin):
    return single(name, number, ("j", header), str(pin), "LVCMOS33")


class Colorlight5A75BPlatform(Board, Colorlight_5A75B_R70Platform):
    """The board with the lanes of the transmitter.

    Parameters
    ----------
    lanes : int, optional
        Lanes of the transmitter: 5.
    """

    title = "Colorlight 5A-75B revision 7.0 (LFE5U-25F)"
    headers = (
        *(dual_row(("j", number), f"J{number}", 16) for number in (5, 6, 7)),
        rows_of(("j", 19), "J19", "1 2 3 4 5"),
    )
    reference_clock = "clk25"
    slot_rates = {Role.TRANSMITTER: "312.5"}
    no_role = "it has some 32000 look-up tables, even without delay lines, and the part 24288"
    log_frames = 1
    timing_device = "LFE5U-25F"
    loader = ("--board", "colorlight")
    needs_cable = True
    notes = (
        "the buffers 74HC245 of J5, J6 and J7 must be bridged, and the pins then bear 3.3 V only",
    )

    resources = [
        *Colorlight_5A75B_R70Platform.resources,
        # inputs are on pads A and C, which alone sample
        *(
            _single("lane", lane, *pin)
            for lane, pin in enumerate(((6, 2), (6, 5), (6, 6), (7, 1), (7, 6)))
        ),
        _single("marker", 0, 7, 7),
        _single("downlink", 0, 5, 2),
        _single("random_clock", 0, 5, 3),
        *(_single("random_a", bit, *pin) for bit, pin in enumerate(_SAMPLING)),
        _single("uplink", 0, 7, 3),
        _single("pps", 0, 5, 1),
    ]
