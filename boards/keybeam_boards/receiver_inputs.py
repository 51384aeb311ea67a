"""Where the receiver's inputs and delay lines are in an LFE5UM-85F."""

from typing import NamedTuple

from keybeam.protocol.records import TAGGED_CHANNELS, Channel

__all__ = ["LINE_PLACES", "ReceiverInput", "receiver_inputs"]


class ReceiverInput(NamedTuple):
    """An input that is tagged."""

    resource: str
    """Name of its resource."""
    number: int
    """Number of its resource."""
    io_logic: str
    """I/O logic of its pad, as ``X0/Y11/IOLOGICA``."""


_RESOURCES = {
    Channel.H: ("detector", 0),
    Channel.V: ("detector", 1),
    Channel.D: ("detector", 2),
    Channel.A: ("detector", 3),
    Channel.LINE: ("line", 0),
    Channel.PPS: ("pps", 0),
    Channel.AUX_1: ("auxiliary", 0),
    Channel.AUX_2: ("auxiliary", 1),
}

_FIRST_COLUMN, _FIRST_ROW, _ROWS_APART = 4, 12, 8

LINE_PLACES = {
    channel: (_FIRST_COLUMN, _FIRST_ROW + _ROWS_APART * place)
    for place, channel in enumerate(TAGGED_CHANNELS)
}
"""Column and row of the first slice of each channel's line. The pads are in column 0; rows of block
RAMs (10, 22, 34 and so on) are left out, also for a second line."""


def receiver_inputs(pads: dict[Channel, str]) -> dict[Channel, ReceiverInput]:
    """Give the inputs of a board.

    Parameters
    ----------
    pads : dict of Channel to str
        Row and letter of each input's pad on the left side of the part, as ``11A`` (Project
        Trellis, iodb.json).

    Returns
    -------
    dict of Channel to ReceiverInput
    """
    return {
        channel: ReceiverInput(*_RESOURCES[channel], f"X0/Y{pad[:-1]}/IOLOGIC{pad[-1]}")
        for channel, pad in pads.items()
    }
