"""``keybeam build``: the bitstream of a terminal for a board."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from keybeam.protocol.identity import Role
from keybeam_boards.bitstream import build as build_bitstream
from keybeam_boards.build_report import BuildReport
from keybeam_boards.options import read_options
from keybeam_boards.platforms import BOARDS
from keybeam_boards.rates import SLOT_RATES

__all__ = ["build"]

_BOTH = "both"
_ROLES = [role.name.lower() for role in Role]


@click.command()
@click.option("--board", type=click.Choice(sorted(BOARDS)), required=True, help="The board.")
@click.option(
    "--role",
    type=click.Choice([*_ROLES, _BOTH]),
    required=True,
    help="Which terminal; both builds the one and then the other.",
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
    help="Seed of placement; the same source and seed give the same bitstream. The board's own "
    "choice by default, mostly 1.",
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
    help="Slots a microsecond, the board's own choice by default: "
    + "; ".join(f"{name} for {rate.pulse_rates}" for name, rate in SLOT_RATES.items())
    + ".",
)
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="What `keybeam boards` names as options: lanes=N of a transmitter, lines=N of a receiver.",
)
@click.option(
    "--lab-only",
    is_flag=True,
    help="Let pass what a part on the bench may do beyond its data sheet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def build(
    board: str,
    role: str,
    out: Path,
    seed: int | None,
    seeds: int,
    slot_rate: str | None,
    options: tuple[str, ...],
    lab_only: bool,
    as_json: bool,
) -> None:
    """Build the bitstream of a terminal for a board.

    Everything runs locally with the open toolchain. Ends with status 2 and names the clock that is
    missed, or the pin and the rule that is broken. With --role both, --json prints a report for
    each role by its name.

    \b
    Examples:
        keybeam build --board ecp5_5g_evn --role receiver --out out/build
        keybeam build --board ecp5_5g_evn --role transmitter --option lanes=8 --seeds 4
    """
    console = Console(stderr=True)
    names = _ROLES if role == _BOTH else [role]
    # All options are read before anything is built.
    chosen = {name: read_options(options, BOARDS[board], Role[name.upper()]) for name in names}
    reports: dict[str, BuildReport] = {}
    with console.status("starting") as status:

        def progress(line: str) -> None:
            status.update(line)
            console.print(line, highlight=False, soft_wrap=True)

        for name in names:
            if role == _BOTH:
                progress(name)
            reports[name] = build_bitstream(
                board,
                Role[name.upper()],
                out,
                seeds=BOARDS[board].seeds_of(Role[name.upper()], seeds, seed),
                progress=progress,
                slot_rate=slot_rate,
                options=chosen[name],
                lab_only=lab_only,
            )
    if as_json:
        content = {name: report.as_dict() for name, report in reports.items()}
        printed = content if role == _BOTH else content[role]
        sys.stdout.write(json.dumps(printed, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(report.text() for report in reports.values()))
    sys.stdout.flush()
    for report in reports.values():
        report.require()
