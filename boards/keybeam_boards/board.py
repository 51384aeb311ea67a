"""What every platform says of its board, and what most of them have in common.

A board is one file in `keybeam_boards.platforms`: a class that inherits from
`Board` and from the platform of amaranth-boards, and adds the resources of the
terminals' lanes. Everything else, such as where a pad is in the part, which
pins of a header carry what, and how the header is drawn, follows from those
resources.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from amaranth.build import Attrs, DiffPairs, Pins, Resource
from amaranth.hdl import Module, Value

from keybeam.protocol.identity import Role
from keybeam.protocol.lanes import LANES
from keybeam.protocol.records import Channel
from keybeam_boards.headers import Header
from keybeam_boards.rates import DEFAULT_SLOT_RATE

__all__ = [
    "CHIP_LANES",
    "FEWEST_LANES",
    "LVDS",
    "LVDS_TERMINATED",
    "RECEIVER_RESOURCES",
    "TRANSMITTER_RESOURCES",
    "Board",
    "BoardMemory",
    "pair",
    "single",
]

FEWEST_LANES = 5
"""Lanes of a transmitter with a single laser and two modulators for each of two properties."""

LVDS = Attrs(IO_TYPE="LVDS")
"""An output, or an input that the part does not terminate; it does at 2.5 V only."""
LVDS_TERMINATED = Attrs(IO_TYPE="LVDS", DIFFRESISTOR="100")
"""An input that the part terminates."""

CHIP_LANES = 4
"""Lanes of a random-number chip: one bit of every slot on each."""

TRANSMITTER_RESOURCES = {
    **{("lane", number): "o" for number in range(LANES)},
    ("marker", 0): "o",
    ("downlink", 0): "o",
    ("random_clock", 0): "o",
    **{(f"random_{chip}", bit): "i" for chip in "ab" for bit in range(CHIP_LANES)},
    ("uplink", 0): "i",
    ("pps", 0): "i",
}
"""Resources of a transmitter and their directions. A board may lack all but lanes and downlink."""

RECEIVER_RESOURCES = {
    Channel.H: ("detector", 0),
    Channel.V: ("detector", 1),
    Channel.D: ("detector", 2),
    Channel.A: ("detector", 3),
    Channel.LINE: ("line", 0),
    Channel.PPS: ("pps", 0),
    Channel.AUX_1: ("auxiliary", 0),
    Channel.AUX_2: ("auxiliary", 1),
}
"""Resource of each input of a receiver. A board may lack the pulse per second and the auxiliary
inputs."""


@dataclass(frozen=True)
class BoardMemory:
    """Memory on a board, on the resource ``ddr3``."""

    chip: str
    """Name of the chip in ``litedram.modules``."""
    byte_lanes: int
    """Width in bytes."""


def _direction(name: str) -> str:
    outputs = {
        resource for (resource, _), direction in TRANSMITTER_RESOURCES.items() if direction == "o"
    }
    return "o" if name in outputs else "i"


def pair(
    name: str, number: int, header: tuple[str, int], true: str, complement: str, attributes: Attrs
) -> Resource:
    """Give a lane on a pair of pins.

    Parameters
    ----------
    name : str
        Name of the resource, of those in `TRANSMITTER_RESOURCES` and `RECEIVER_RESOURCES`.
    number : int
        Its number.
    header : tuple of str and int
        Name and number of the connector in amaranth-boards.
    true, complement : str
        Pins of the connector.
    attributes : Attrs
        Standard of the buffer.

    Returns
    -------
    Resource
    """
    pins = DiffPairs(true, complement, dir=_direction(name), conn=header)
    return Resource(name, number, pins, attributes)


def single(name: str, number: int, header: tuple[str, int], pin: str, io_type: str) -> Resource:
    """Give a lane on one pin.

    Parameters
    ----------
    name : str
        Name of the resource, of those in `TRANSMITTER_RESOURCES` and `RECEIVER_RESOURCES`.
    number : int
        Its number.
    header : tuple of str and int
        Name and number of the connector in amaranth-boards.
    pin : str
        Pin of the connector.
    io_type : str
        Standard of the buffer.

    Returns
    -------
    Resource
    """
    return Resource(
        name, number, Pins(pin, dir=_direction(name), conn=header), Attrs(IO_TYPE=io_type)
    )


class Board:
    """A board, as the other modules of this package see it.

    A class attribute without a value must be given by each board.
    """

    toolchain_name: ClassVar[str] = "Trellis"
    """Toolchain of the part, by Amaranth's name."""
    title: ClassVar[str]
    """Name of the board in full, with its part."""
    headers: ClassVar[tuple[Header, ...]] = ()
    """Connectors with pins of the terminals, as they are drawn."""
    reference_clock: ClassVar[str]
    """Resource of the clock that the edge clock is made from."""
    external_clock: ClassVar[str | None] = None
    """Resource of an external reference clock, for slot rates that ask for one."""
    restart_button: ClassVar[str | None] = None
    """Resource of the button that starts everything again."""
    serial_port: ClassVar[str] = "uart"
    """Resource of the serial port to the host."""
    links: ClassVar[tuple[str, ...]] = ("UART",)
    """Ways to the host."""
    serial_lane: ClassVar[tuple[str, int] | None] = None
    """Resource of the transmitter's SERDES lane."""
    memory: ClassVar[BoardMemory | None] = None
    """Memory for the state log, if it is not that in the part."""
    log_frames: ClassVar[int | None] = None
    """Frames of a state log in the part; None for the gateware's default."""
    lane_choice: ClassVar[range] = range(FEWEST_LANES, FEWEST_LANES + 1)
    """Lanes that a transmitter may have; it has the fewest if nothing is said."""
    x1_lanes: ClassVar[bool] = False
    """Lanes go through x1 cells and logic, for pins on sides that have no x2 cells."""
    lines: ClassVar[int] = 1
    """Delay lines of each detector of a receiver, if nothing is said."""
    slot_rates: ClassVar[Mapping[Role, str]] = dict.fromkeys(Role, DEFAULT_SLOT_RATE)
    """Roles that the board can have, and the slot rate of each if nothing is said."""
    seeds: ClassVar[Mapping[Role, int]] = {}
    """Seed of placement to begin with, of roles for which it is not 1."""
    no_role: ClassVar[str] = ""
    """Why the board can have no role, or not both, if so."""
    timing_device: ClassVar[str]
    """The part that is placed and routed, and judged by. It is the board's own but for the
    transceivers' rate, while nextpnr's timing data of the 5G parts are faster than is credible."""
    notes: tuple[str, ...] = ()
    """What whoever uses a bitstream has to know."""
    loader: ClassVar[tuple[str, ...]]
    """Arguments by which openFPGALoader finds the board."""
    needs_cable: ClassVar[bool] = False
    """The board has no programmer of its own: openFPGALoader must be told which is used."""

    def __init__(self, lanes: int | None = None, **options) -> None:
        self.transmitter_lanes = self.lane_choice.start if lanes is None else lanes
        super().__init__(toolchain=self.toolchain_name, **options)

    @classmethod
    def seeds_of(cls, role: Role, count: int, first: int | None = None) -> range:
        """Give seeds to place a terminal with.

        Parameters
        ----------
        role : Role
            The terminal.
        count : int
            How many.
        first : int, optional
            The first one; the board's own choice if not given.

        Returns
        -------
        range
        """
        begin = cls.seeds.get(role, 1) if first is None else first
        return range(begin, begin + count)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Terminals that the board can be."""
        return tuple(self.slot_rates)

    def resources_of(self, role: Role) -> list[tuple[str, int]]:
        """Give the resources of a role that the board has, by name and number.

        Parameters
        ----------
        role : Role
            The role.

        Returns
        -------
        list of tuple of str and int
        """
        sends = role is Role.TRANSMITTER
        names = list(TRANSMITTER_RESOURCES) if sends else list(RECEIVER_RESOURCES.values())
        return [name for name in names if name in self.resources]

    def io_types(self, role: Role) -> set[str]:
        """Give the standards of the buffers of a role's lanes.

        Parameters
        ----------
        role : Role
            The role.

        Returns
        -------
        set of str
        """
        return {self.lookup(*name).attrs["IO_TYPE"] for name in self.resources_of(role)}

    def add_supplies(self, m: Module, reference: Value) -> None:
        """Switch on what the board lets its part supply; nothing, if supplies are fixed.

        Parameters
        ----------
        m : Module
            The design.
        reference : Value
            The board's clock.
        """
