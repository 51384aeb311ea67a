"""Which pin of which connector carries what, from a board's resources."""

from collections.abc import Iterator
from dataclasses import dataclass

from keybeam.protocol.identity import Role
from keybeam_boards.board import RECEIVER_RESOURCES, TRANSMITTER_RESOURCES, Board
from keybeam_boards.headers import Header
from keybeam_boards.pads import balls, pad_pins

__all__ = ["Line", "PinUse", "header_uses", "lines_of"]

_INPUT_NAMES = {
    resource: channel.name.replace("_", " ") for channel, resource in RECEIVER_RESOURCES.items()
}
_PAIR = 2


@dataclass(frozen=True)
class Line:
    """A line of a terminal, on one pin or on a pair."""

    label: str
    """What it carries, in words."""
    direction: str
    """``out`` or ``in``, seen from the board."""
    io_type: str
    """Standard of its buffer."""
    header: str
    """What the board calls the connector."""
    pins: tuple[str, ...]
    """Pins of the connector, of a pair the true one first."""
    balls: tuple[str, ...]
    """Balls of the part."""


@dataclass(frozen=True)
class PinUse:
    """What is on a pin of a connector."""

    label: str
    """What it carries, with + and − of a pair; empty if it carries nothing."""
    direction: str
    """``out`` or ``in``, or empty."""
    ball: str
    """Ball of the part, or empty for power and ground."""


def _label(name: str, number: int, role: Role) -> str:
    if role is Role.RECEIVER:
        return _INPUT_NAMES[name, number]
    if name.startswith("random_") and name != "random_clock":
        return f"chip {name[-1]} bit {number}"
    plain = {"random_clock": "chip clock", "pps": "PPS"}.get(name, name)
    return f"{plain} {number}" if name == "lane" else plain


def lines_of(board: Board, role: Role) -> Iterator[Line]:
    """Give the lines of a role that are on connectors.

    Parameters
    ----------
    board : Board
        The board.
    role : Role
        The role.

    Yields
    ------
    Line
    """
    titles = {f"{h.connector[0]}_{h.connector[1]}": h.title for h in board.headers}
    sends = role is Role.TRANSMITTER
    for name, number in board.resources_of(role):
        pins = list(pad_pins(board.lookup(name, number)))
        outward = sends and TRANSMITTER_RESOURCES[name, number] == "o"
        yield Line(
            label=_label(name, number, role),
            direction="out" if outward else "in",
            io_type=board.lookup(name, number).attrs["IO_TYPE"],
            header=titles[pins[0].partition(":")[0]],
            pins=tuple(pin.partition(":")[2] for pin in pins),
            balls=tuple(balls(board, name, number)),
        )
    yield from _others(board, titles)


def _others(board: Board, titles: dict[str, str]) -> Iterator[Line]:
    """Give the serial port and the external clock, if they are on a connector."""
    port = board.lookup(board.serial_port)
    parts = [(f"serial {part.name}", part.ios[0], part.attrs) for part in port.ios]
    if board.external_clock is not None:
        clock = board.lookup(board.external_clock)
        parts.append(("external clock", clock.ios[0], clock.attrs))
    connected = dict(pin for connector in board.connectors.values() for pin in connector)
    for label, pins, attributes in parts:
        name = pins.names[0]
        header, _, pin = name.partition(":")
        if header in titles:
            way = "out" if pins.dir == "o" else "in"
            io_type = attributes.get("IO_TYPE", port.attrs.get("IO_TYPE", ""))
            yield Line(label, way, io_type, titles[header], (pin,), (connected[name],))


def header_uses(board: Board, header: Header, role: Role) -> dict[str, PinUse]:
    """Say what is on each pin of a connector.

    Parameters
    ----------
    board : Board
        The board.
    header : Header
        The connector.
    role : Role
        The role.

    Returns
    -------
    dict of str to PinUse
        By the name of the pin.
    """
    mapping = board.connectors[header.connector].mapping
    uses = {pin: PinUse("", "", mapping.get(pin, "")) for row in header.rows for pin in row}
    for line in lines_of(board, role):
        if line.header != header.title:
            continue
        signs = "+−" if len(line.pins) == _PAIR else ("",)
        for pin, sign in zip(line.pins, signs, strict=True):
            uses[pin] = PinUse(f"{line.label}{sign}", line.direction, mapping[pin])
    return uses
