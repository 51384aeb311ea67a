"""``keybeam build``: the bitstream of a terminal for a board."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from keybeam.protocol.identity import Role
from keybeam_boards.bitstream import BOARDS
from keybeam_boards.bitstream import build as build_bitstream

__all__ = ["build"]


@click.command()
@click.option("--board", type=click.Choice(sorted(BOARDS)), required=True, help="The board.")
@click.option(
    "--role",
    type=click.Choice([role.name.lower() for role in Role]),
    required=True,
    help="Which terminal.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/build"),
    show_default=True,
    help="Folder for bitstream and report.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Seed of placement; the same source and seed give the same bitstream.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Seeds to try, one after the other from --seed on, until every clock is met.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def build(board: str, role: str, out: Path, seed: int, seeds: int, as_json: bool) -> None:
    """Build the bitstream of a terminal for a board.

    Everything runs locally with the open toolchain. Ends with status 2 and names the clock, if
    one is missed.

    \b
    Example:
        keybeam build --board ecp5_5g_evn --role receiver --out out/build
    """
    console = Console(stderr=True)
    with console.status("starting") as status:

        def progress(line: str) -> None:
            status.update(line)
            console.print(line, highlight=False)

        for attempt in range(seed, seed + seeds):
            progress(f"seed {attempt}")
            report = build_bitstream(
                board, Role[role.upper()], out, seed=attempt, progress=progress
            )
            if report.timing_met:
                break
    sys.stdout.write(json.dumps(report.as_dict(), indent=2) + "\n" if as_json else report.text())
    sys.stdout.flush()
    report.require()
