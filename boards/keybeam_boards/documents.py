"""Writes the pages of the boards: what each can do, its pins, and drawings of its connectors."""

from collections.abc import Iterator
from pathlib import Path

from keybeam.protocol.identity import Role
from keybeam_boards.board import Board
from keybeam_boards.capabilities import board_capabilities
from keybeam_boards.drawing import draw_board
from keybeam_boards.pin_table import lines_of
from keybeam_boards.platforms import BOARDS

__all__ = ["board_page", "write_documents"]


def write_documents(folder: Path) -> Iterator[Path]:
    """Write a page for each board, and a drawing for each role that it can have.

    Parameters
    ----------
    folder : Path
        Where to write; made if missing.

    Yields
    ------
    Path
        Each file, once it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, board in BOARDS.items():
        for role in board.slot_rates:
            path = folder / f"{name}_{role.name.lower()}.svg"
            path.write_text(draw_board(_widest(board), role))
            yield path
        path = folder / f"{name}.md"
        path.write_text(board_page(name))
        yield path


def _widest(board: type[Board]) -> Board:
    """Give the board with all lanes that it can have."""
    return board(board.lane_choice[-1])


def board_page(name: str) -> str:
    """Describe a board.

    Parameters
    ----------
    name : str
        One of `keybeam_boards.platforms.BOARDS`.

    Returns
    -------
    str
        A page in Markdown.
    """
    able, board = board_capabilities(name), _widest(BOARDS[name])
    lines = [
        f"# {able.title}",
        "",
        "This page is generated from the board's definition "
        f"(`boards/keybeam_boards/platforms/{name}.py`): `make docs` writes it again.",
        "",
        f"`--board {name}`; part {able.device}"
        + (f", speed grade −{able.speed}" if able.speed else "")
        + f"; link to the host: {', '.join(able.links)}; SERDES lane: {able.serdes or 'none'}.",
    ]
    missing = [role.name.lower() for role in Role if role not in board.roles]
    if missing:
        lines += ["", f"It can be no {' and no '.join(missing)}: {able.no_role}."]
    lines += [f"\n* {note[0].upper()}{note[1:]}." for note in able.notes]
    for role in board.roles:
        lines += _role_section(board, name, role)
    return "\n".join(lines) + "\n"


def _role_section(board: Board, name: str, role: Role) -> list[str]:
    able = board_capabilities(name).roles[role.name.lower()]
    rates = f"Slots of {', '.join(able.in_specification)} MHz are within the part's data sheet"
    if able.lab_only:
        rates += f"; those of {', '.join(able.lab_only)} MHz are not, and are for the lab only"
    lines = ["", f"## As {role.name.lower()}", "", f"{rates}. Built for {able.slot_rate} MHz."]
    if able.log_seconds is not None:
        lines[-1] += (
            f" The state log keeps {able.log_frames} frames ({able.log_seconds:.2g} s) in "
            f"{able.log_memory}."
        )
    lines += [
        "",
        f"![connectors]({name}_{role.name.lower()}.svg)",
        "",
        "| Line | | Connector | Pins (true, complement) | Balls | Buffer |",
        "|---|---|---|---|---|---|",
    ]
    return lines + [
        f"| {line.label} | {line.direction} | {line.header} | {' '.join(line.pins)} "
        f"| {' '.join(line.balls)} | {line.io_type} |"
        for line in lines_of(board, role)
    ]
