"""``keybeam registers``: what registers the boards have, and what is in them now."""

from pathlib import Path

import click
import msgspec

from keybeam.device.board import Board
from keybeam.device.errors import RegisterMapError
from keybeam.device.register_map import RegisterMap, load_register_map
from keybeam.device.register_table import register_document, register_listing
from keybeam.protocol.identity import Role
from keybeam.whole_files import write_whole

__all__ = ["registers"]

_ROLES = {role.name.lower(): role for role in Role}
_DOCUMENT = Path("docs/registers.md")


def _live_values(port: str, role: str) -> tuple[RegisterMap, dict[str, int]]:
    """Map of the board at a port, and the content of each register that can be read."""
    with Board(port) as board:
        found = board.register_map
        if role not in ("all", found.role):
            raise RegisterMapError(f"the board at {board.name} is a {found.role}, not a {role}")
        names = (register.name for register in found.registers if register.access != "w")
        return found, {name: board.read(name) for name in names}


@click.command()
@click.option(
    "--role",
    type=click.Choice([*_ROLES, "all"]),
    default="all",
    show_default=True,
    help="Which terminal's registers.",
)
@click.option("--port", metavar="PORT", help="Read the values from the board at this port.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--write-docs",
    "document",
    type=click.Path(dir_okay=False, path_type=Path),
    is_flag=False,
    flag_value=_DOCUMENT,
    help=f"Write a Markdown description of all registers to this file [{_DOCUMENT}].",
)
def registers(role: str, port: str | None, as_json: bool, document: Path | None) -> None:
    """List the registers of the boards, or read them from a board.

    PORT is /dev/ttyUSB0, serial:/dev/ttyUSB0?baud=3000000 or tcp:HOST:PORT.

    \b
    Examples:
        keybeam registers --role receiver
        keybeam registers --port /dev/ttyUSB0
    """
    if document is not None:
        maps = [load_register_map(each) for each in Role]
        write_whole(document, register_document(maps))
        click.echo(f"wrote {document}", err=True)
        return
    values: dict[str, int] = {}
    if port is not None:
        found, values = _live_values(port, role)
        maps = [found]
    else:
        maps = [load_register_map(each) for name, each in _ROLES.items() if role in ("all", name)]
    if as_json:
        content = {each.role: msgspec.to_builtins(each) for each in maps}
        if port is not None:
            for register in content[maps[0].role]["registers"]:
                register["value"] = values.get(register["name"])
        click.echo(msgspec.json.format(msgspec.json.encode(content), indent=1).decode())
    else:
        for each in maps:
            click.echo(register_listing(each, values))
