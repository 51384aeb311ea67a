"""``keybeam build``: the bitstream of a terminal for a board."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from keybeam.protocol.identity import Role
from keybeam_boards.bitstream import BOARDS
from keybeam_boards.bitstream import build as build_bitstream
from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES

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
    default=1,
    show_default=True,
    help="Seeds to place with, from --seed on; the best placement is kept.",
)
@click.option(
    "--slot-rate",
    type=click.Choice(list(SLOT_RATES)),
    default=DEFAULT_SLOT_RATE,
    show_default=True,
    help="Slots a microsecond: "
    + "; ".join(f"{name} for {rate.pulse_rates}" for name, rate in SLOT_RATES.items())
    + ".",
)
@click.option(
    "--lanes",
    type=click.IntRange(min=1),
    help="Lanes of the transmitter, where the board leaves the choice.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def build(
    board: str,
    role: str,
    out: Path,
    seed: int,
    seeds: int,
    slot_rate: str,
    lanes: int | None,
    as_json: bool,
) -> None:
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

        report = build_bitstream(
            board,
            Role[role.upper()],
            out,
            seeds=range(seed, seed + seeds),
            progress=progress,
            slot_rate=slot_rate,
            lanes=lanes,
        )
    sys.stdout.write(json.dumps(report.as_dict(), indent=2) + "\n" if as_json else report.text())
    sys.stdout.flush()
    report.require()
