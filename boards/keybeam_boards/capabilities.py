"""What each board can do, from its platform alone."""

from dataclasses import asdict, dataclass
from typing import Any

from keybeam.protocol.identity import Role
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam_boards.board import RECEIVER_RESOURCES, Board
from keybeam_boards.dram import DRAM_LOG_FRAMES
from keybeam_boards.options import choices
from keybeam_boards.platforms import BOARDS
from keybeam_boards.rates import SLOT_RATES, SlotRate
from keybeam_boards.rules import EDGE_CLOCK_LIMIT_HZ, IO_RATE_HZ, LAB_MARGIN, X1_RATE_HZ
from keybeam_gateware.primitives.pll import plan_pll
from keybeam_gateware.transmitter import DEFAULT_LOG_FRAMES

__all__ = ["BoardCapabilities", "RoleCapabilities", "board_capabilities"]


@dataclass(frozen=True)
class RoleCapabilities:
    """What a board can do as one of the terminals."""

    slot_rate: str
    """Slots a microsecond, if nothing is said."""
    in_specification: list[str]
    """Slot rates within the part's data sheet."""
    lab_only: list[str]
    """Slot rates beyond it by what a part on the bench may do."""
    lanes: list[int]
    """Lanes that a transmitter may have, or tagged inputs of a receiver."""
    options: dict[str, list[int]]
    """What ``--option`` may be."""
    log_frames: int | None
    """Depth of a transmitter's state log in frames."""
    log_seconds: float | None
    """The same in seconds, at `slot_rate`."""
    log_memory: str | None
    """``block RAM`` or ``DDR3``."""


@dataclass(frozen=True)
class BoardCapabilities:
    """What a board can do."""

    board: str
    """Its name."""
    title: str
    """Its name in full."""
    device: str
    """Its part."""
    speed: str | None
    """Speed grade of the part; None if it comes in one only."""
    roles: dict[str, RoleCapabilities]
    """By the name of the role; empty if it can be no terminal."""
    no_role: str
    """Why it can be none, if so."""
    serdes: str | None
    """Resource of a transmitter's serial lane, None if there is none."""
    links: tuple[str, ...]
    """Ways to the host."""
    notes: tuple[str, ...]
    """What whoever uses a bitstream has to know."""

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as JSON writes it."""
        return asdict(self)


def board_capabilities(name: str) -> BoardCapabilities:
    """Say what a board can do.

    Parameters
    ----------
    name : str
        One of `keybeam_boards.platforms.BOARDS`.

    Returns
    -------
    BoardCapabilities
    """
    board = BOARDS[name]()
    serial = board.serial_lane
    return BoardCapabilities(
        board=name,
        title=board.title,
        device=board.device,
        speed=board.speed,
        roles={role.name.lower(): _role(board, role) for role in board.roles},
        no_role=board.no_role,
        serdes=None if serial is None else f"{serial[0]}_{serial[1]}",
        links=board.links,
        notes=board.notes,
    )


def _role(board: Board, role: Role) -> RoleCapabilities:
    rate = SLOT_RATES[board.slot_rates[role]]
    able = {name: one for name, one in SLOT_RATES.items() if _has_clock(board, one)}
    inside = [name for name, one in able.items() if _within(board, role, one)]
    inputs = sum(name in board.resources for name in RECEIVER_RESOURCES.values())
    sends = role is Role.TRANSMITTER
    frames = _log_frames(board) if sends else None
    return RoleCapabilities(
        slot_rate=board.slot_rates[role],
        in_specification=inside,
        lab_only=[
            name for name, one in able.items() if name not in inside and _on_the_bench(board, one)
        ],
        lanes=list(board.lane_choice) if sends else [inputs],
        options={option: list(values) for option, values in choices(type(board), role).items()},
        log_frames=frames,
        log_seconds=None if frames is None else frames * FRAME_SLOTS / rate.slot_hz,
        log_memory=None if frames is None else "block RAM" if board.memory is None else "DDR3",
    )


def _has_clock(board: Board, rate: SlotRate) -> bool:
    """Whether the board has a clock that the edge clock can be made from."""
    if rate.external_hz is not None:
        return board.external_clock is not None
    try:
        plan_pll(int(board.lookup(board.reference_clock).clock.frequency), rate.edge_clock_hz)
    except ValueError:
        return False
    return True


def _within(board: Board, role: Role, rate: SlotRate) -> bool:
    """Whether edge clock and buffers are within the data sheet."""
    if rate.edge_clock_hz > EDGE_CLOCK_LIMIT_HZ[board.speed]:
        return False
    if board.x1_lanes and rate.slot_hz > X1_RATE_HZ:
        return False
    return all(rate.slot_hz <= IO_RATE_HZ[io_type] for io_type in board.io_types(role))


def _on_the_bench(board: Board, rate: SlotRate) -> bool:
    """Whether what is beyond the data sheet is let pass for the lab."""
    if board.x1_lanes and rate.slot_hz > X1_RATE_HZ:
        return False
    return rate.edge_clock_hz < EDGE_CLOCK_LIMIT_HZ[board.speed] * LAB_MARGIN


def _log_frames(board: Board) -> int:
    if board.memory is not None:
        return DRAM_LOG_FRAMES
    return board.log_frames or DEFAULT_LOG_FRAMES
