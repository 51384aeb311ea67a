"""``keybeam flash``: brings a bitstream to a board, through openFPGALoader."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import click

from keybeam.protocol.identity import Role
from keybeam_boards.board import Board
from keybeam_boards.errors import FlashError
from keybeam_boards.platforms import BOARDS

__all__ = ["flash", "loader_arguments"]

_VARIABLE, _PROGRAM = "OPENFPGALOADER", "openFPGALoader"


def loader_arguments(
    board: type[Board], bitstream: Path, cable: str | None, permanent: bool
) -> list[str]:
    """Give the arguments of openFPGALoader.

    Parameters
    ----------
    board : type of Board
        The board.
    bitstream : Path
        The bitstream.
    cable : str, optional
        Programmer in use, if it is not the board's own.
    permanent : bool
        Write the flash memory, instead of the part itself.

    Returns
    -------
    list of str

    Raises
    ------
    FlashError
        If the board has no programmer of its own and none is named.
    """
    if board.needs_cable and cable is None:
        raise FlashError(
            f"{board.title} has no programmer of its own: say with --cable which one is connected "
            f"({_PROGRAM} --list-cables lists them)"
        )
    chosen = () if cable is None else ("--cable", cable)
    memory = "--write-flash" if permanent else "--write-sram"
    return [*board.loader, *chosen, memory, str(bitstream)]


def _loader() -> str:
    name = os.environ.get(_VARIABLE, _PROGRAM)
    path = shutil.which(name)
    if path is None:
        raise FlashError(
            f"{name} is not installed: sudo apt install openfpgaloader, or see "
            f"https://trabucayre.github.io/openFPGALoader/guide/install.html; {_VARIABLE} names "
            "another program"
        )
    return path


def _built(board: str, role: str | None, folder: Path) -> Path:
    """Give the bitstream of a build, if there is one and it is for that board."""
    if role is None:
        raise FlashError("say which bitstream: --role ROLE takes it from --out, or name the file")
    report = folder / f"{board}_{role}.json"
    build = f"keybeam build --board {board} --role {role} --out {folder}"
    if not report.is_file():
        raise FlashError(f"there is no {report}: {build}")
    bitstream = json.loads(report.read_text())["bitstream"]
    if bitstream is None:
        raise FlashError(f"{report} says that the build gave no bitstream: {build} says why")
    path = folder / Path(bitstream).name
    if not path.is_file():
        raise FlashError(f"{path} is gone: {build}")
    return path


@click.command()
@click.argument(
    "bitstream", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--board", type=click.Choice(sorted(BOARDS)), required=True, help="The board.")
@click.option(
    "--role",
    type=click.Choice([role.name.lower() for role in Role]),
    help="Take the bitstream of this terminal from --out.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/build"),
    show_default=True,
    help="Folder that `keybeam build` wrote to.",
)
@click.option("--cable", help="Programmer in use, if it is not the board's own.")
@click.option(
    "--permanent", is_flag=True, help="Write the flash memory, so that it survives power-off."
)
@click.option("--dry-run", is_flag=True, help="Print the command that would be run, and stop.")
def flash(
    bitstream: Path | None,
    board: str,
    role: str | None,
    folder: Path,
    cable: str | None,
    permanent: bool,
    dry_run: bool,
) -> None:
    """Bring a bitstream to a board.

    BITSTREAM is a file, or the last build of --role. It goes into the part itself, and is gone
    when the power is, unless --permanent is given.

    \b
    Examples:
        keybeam flash --board ecp5_5g_evn --role transmitter
        keybeam flash --board butterstick --cable ft232 out/build/butterstick_transmitter.bit
    """
    path = bitstream or _built(board, role, folder)
    arguments = loader_arguments(BOARDS[board], path, cable, permanent)
    if dry_run:
        click.echo(shlex.join([_PROGRAM, *arguments]))
        return
    done = subprocess.run([_loader(), *arguments], check=False)
    if done.returncode:
        raise FlashError(
            f"{_PROGRAM} ended with status {done.returncode}: is the board connected and powered, "
            "and may you use its USB device?"
        )
    click.echo(f"{path} is in {board}", err=True)
