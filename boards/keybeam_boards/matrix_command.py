"""``keybeam bitstreams``: every board in every role, and a table of them."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from keybeam.protocol.identity import Role
from keybeam.whole_files import write_whole
from keybeam_boards.matrix import build_matrix, kept_lines, matrix_rows, matrix_table
from keybeam_boards.platforms import BOARDS

__all__ = ["bitstreams"]


@click.command()
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/bitstreams"),
    show_default=True,
    help="Folder for bitstreams and reports.",
)
@click.option(
    "--board",
    "names",
    type=click.Choice(sorted(BOARDS)),
    multiple=True,
    help="Build this board only; may be given again. All by default.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Seeds to place with; the best placement is kept.",
)
@click.option(
    "--write-docs",
    "document",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the table to this file, after each build; its rows of what is not in --out stay.",
)
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.name.lower() for role in Role]),
    multiple=True,
    help="Build this role only.",
)
@click.option("--table-only", is_flag=True, help="Build nothing: tabulate what has been built.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bitstreams(
    folder: Path,
    names: tuple[str, ...],
    seeds: int,
    document: Path | None,
    roles: tuple[str, ...],
    table_only: bool,
    as_json: bool,
) -> None:
    """Build every board in every role, and tabulate what came of it.

    What is built at this revision of the source is not built again, so that an interrupted run
    goes on. A build that fails is a row of the table that says why. Each takes some minutes.

    \b
    Example:
        keybeam bitstreams --out out/bitstreams --write-docs docs/boards/bitstreams.md
        keybeam bitstreams --board ulx3s --role transmitter --seeds 4
    """
    console = Console(stderr=True)

    def write() -> None:
        if document is not None:
            kept = kept_lines(document.read_text("utf-8")) if document.is_file() else {}
            document.parent.mkdir(parents=True, exist_ok=True)
            write_whole(document, matrix_table(list(matrix_rows(folder)), kept))

    write()
    if not table_only:
        chosen = {name: board for name, board in BOARDS.items() if not names or name in names}
        with console.status("starting") as status:

            def progress(line: str) -> None:
                status.update(line)
                console.print(line, highlight=False, soft_wrap=True)

            build_matrix(
                folder,
                seeds=seeds,
                progress=progress,
                built=write,
                boards=chosen,
                roles=[Role[name.upper()] for name in roles] or Role,
            )
    rows = list(matrix_rows(folder))
    click.echo(json.dumps(list(map(asdict, rows)), indent=1) if as_json else matrix_table(rows))
