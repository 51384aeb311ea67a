"""``keybeam boards``: which boards there are, and what they can do."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from keybeam_boards.capabilities import BoardCapabilities, RoleCapabilities, board_capabilities
from keybeam_boards.documents import write_documents
from keybeam_boards.platforms import BOARDS

__all__ = ["boards"]

_FOLDER = Path("docs/boards")
_WIDE = 160


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--write-docs",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    is_flag=False,
    flag_value=_FOLDER,
    help=f"Write a page and a drawing of the connectors of each board to this folder [{_FOLDER}].",
)
def boards(as_json: bool, folder: Path | None) -> None:
    """List the boards: roles, lanes, slot rates, SERDES, state log and links.

    Slot rates in brackets are beyond the part's data sheet, and are built with --lab-only.

    \b
    Examples:
        keybeam boards
        keybeam boards --json
    """
    if folder is not None:
        for path in write_documents(folder):
            click.echo(f"wrote {path}", err=True)
        return
    found = [board_capabilities(name) for name in BOARDS]
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found], indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("board", "part", "role", "slots in MHz", "lanes", "SERDES", "log", "link"):
        table.add_column(heading, overflow="fold")
    for one in found:
        for cells in _rows(one):
            table.add_row(*cells)
    # A pipe is no screen: nothing has to be folded for it.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def _rows(board: BoardCapabilities) -> list[tuple[str, ...]]:
    head, links = (board.board, _part(board)), ", ".join(board.links)
    if not board.roles:
        return [(*head, "none", board.no_role, "", "", "", links)]
    return [
        (*head, name, _rates(role), _lanes(role), _serdes(board, role), _log(role), links)
        for name, role in board.roles.items()
    ]


def _part(board: BoardCapabilities) -> str:
    return board.device if board.speed is None else f"{board.device} -{board.speed}"


def _rates(role: RoleCapabilities) -> str:
    return " ".join([*role.in_specification, *(f"({name})" for name in role.lab_only)])


def _lanes(role: RoleCapabilities) -> str:
    return "–".join(map(str, sorted({role.lanes[0], role.lanes[-1]})))


def _serdes(board: BoardCapabilities, role: RoleCapabilities) -> str:
    # Only a transmitter has a serial lane, and a state log.
    return "–" if board.serdes is None or role.log_frames is None else board.serdes


def _log(role: RoleCapabilities) -> str:
    if role.log_seconds is None:
        return "–"
    return f"{role.log_frames} frames, {role.log_seconds:.2g} s, {role.log_memory}"
