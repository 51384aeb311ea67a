"""Access to the receiver's registers that several of its parts need."""

from collections.abc import Callable, Iterable
from typing import Protocol

from keybeam.device.register_map import RegisterMap
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ
from keybeam.protocol.records import Channel
from keybeam.protocol.tagger import RATE_WINDOW_BITS

__all__ = [
    "RATE_WINDOW_S",
    "Registers",
    "channel_register",
    "content_of",
    "read_cycle",
    "take_snapshot",
    "write_whole",
]

RATE_WINDOW_S = (1 << RATE_WINDOW_BITS) / FABRIC_CLOCK_HZ
"""Seconds in which the edges of a channel, and the ring's pulses, are counted: 6.7 ms."""


class Registers(Protocol):
    """A board whose registers can be read and written by name."""

    @property
    def name(self) -> str:
        """Where the board is."""

    @property
    def register_map(self) -> RegisterMap:
        """Its registers."""

    def read(self, name: str) -> int:
        """Content of a register or field."""

    def write(self, name: str, value: int) -> None:
        """Write a register or field."""

    def scan(
        self,
        selector: str,
        choices: Iterable[int],
        name: str,
        tell: Callable[[float], None] = ...,
    ) -> list[int]:
        """Content of a register or field for each choice of what it shows."""

    def write_all(
        self, name: str, values: Iterable[int], tell: Callable[[float], None] = ...
    ) -> None:
        """Write a register again and again."""


def channel_register(channel: Channel, register: str) -> str:
    """Name of a register of a channel of the time-tagger."""
    return f"tagger.{channel.name.lower()}.{register}"


def take_snapshot(board: Registers) -> None:
    """Copy all counters, and the time, at one moment to where they are read."""
    board.write("receiver.snapshot.take", 1)


def read_cycle(board: Registers) -> int:
    """Read the number of the present clock cycle, modulo 2^40."""
    take_snapshot(board)
    return board.read("receiver.time.cycle")


def content_of(board: Registers, name: str, **contents: int) -> int:
    """Put the contents of all fields of a register together.

    Parameters
    ----------
    board : Registers
        The board.
    name : str
        The register.
    **contents : int
        Content of each field; those not named get 0.
    """
    register, _ = board.register_map.find(name)
    value = 0
    for field in register.fields:
        value = field.insert(value, contents.pop(field.name, 0))
    assert not contents, f"{name} has no {', '.join(contents)}"
    return value


def write_whole(board: Registers, name: str, **contents: int) -> None:
    """Write all fields of a register in one access; arguments as of `content_of`."""
    board.write(name, content_of(board, name, **contents))
