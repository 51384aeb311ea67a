"""The command ``keybeam instruments``: the instruments of a station, and what they measure."""

import sys
from pathlib import Path

import click

from keybeam.instruments.drivers import MODELS
from keybeam.instruments.errors import InstrumentError
from keybeam.instruments.measure_command import measure
from keybeam.instruments.models_table import replace_tables
from keybeam.instruments.station import open_link, open_station
from keybeam.instruments.station_file import read_station
from keybeam.options import as_json
from keybeam.output import Value, print_json, print_rows
from keybeam.receiver.progress import shown_progress
from keybeam.whole_files import write_whole

__all__ = ["instruments", "station_argument"]

station_argument = click.argument(
    "station", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)


@click.group()
def instruments() -> None:
    """Use laboratory instruments: identify them, and measure a transmitter with them.

    A station file (TOML) names what is where; docs/instruments.md describes it. `keybeam
    laboratory` runs simulated instruments to try everything with.

    \b
    Example:
        keybeam instruments identify station.toml
    """


instruments.add_command(measure)


@instruments.command("list")
@station_argument
@as_json
def list_entries(station: Path, as_json: bool) -> None:
    """List what a station file names; nothing is opened. All that is wrong in it is told at once.

    \b
    Example:
        keybeam instruments list station.toml
    """
    found = read_station(station)
    rows: list[dict[str, Value]] = [
        {
            "name": entry.name,
            "kind": entry.driver.kind.value,
            "model": entry.driver.model,
            "resource": entry.resource,
            "channel": entry.settings.channel or None,
        }
        for entry in found.entries.values()
    ]
    print_rows(rows, as_json, title=found.name)


@instruments.command()
@station_argument
@as_json
def identify(station: Path, as_json: bool) -> None:
    """Ask every instrument of a station who it is; nothing is set. Status 1 if one fails.

    \b
    Example:
        keybeam instruments identify station.toml --json
    """
    entries = read_station(station).entries
    rows: list[dict[str, Value]] = []
    with shown_progress() as tell:
        for number, entry in enumerate(entries.values()):
            row: dict[str, Value] = {"name": entry.name, "model": entry.driver.model}
            try:
                link = open_link(entry)
                try:
                    identity = entry.driver(link, entry.settings).identify()
                finally:
                    link.close()
            except InstrumentError as error:
                rows.append(row | {"answer": None, "serial": None, "problem": str(error)})
            else:
                answer = f"{identity.manufacturer} {identity.model}"
                rows.append(row | {"answer": answer, "serial": identity.serial, "problem": None})
            tell("asking", (number + 1) / len(entries))
    problems = [f"{row['name']}: {row['problem']}" for row in rows if row["problem"]]
    if as_json:
        print_json(rows)
    else:
        print_rows([{**row, "problem": row["problem"] is not None} for row in rows], as_json=False)
        for problem in problems:
            click.echo(problem, err=True)
    if problems:
        sys.exit(1)


@instruments.command()
@station_argument
def safe(station: Path) -> None:
    """Bring every instrument of a station into its safe state: outputs off, shutters closed.

    \b
    Example:
        keybeam instruments safe station.toml
    """
    found = read_station(station)
    with open_station(found, tuple(found.entries)):
        pass


@instruments.command()
@click.option(
    "--write-docs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the tables of this page (docs/instruments.md) again.",
)
@as_json
def models(write_docs: Path | None, as_json: bool) -> None:
    """List the models that there are drivers for, with the manual of each.

    \b
    Example:
        keybeam instruments models
    """
    if write_docs is not None:
        write_whole(write_docs, replace_tables(write_docs.read_text("utf-8")))
    rows: list[dict[str, Value]] = [
        {"model": name, "kind": driver.kind.value, "device": driver.device, "manual": driver.manual}
        for name, driver in MODELS.items()
    ]
    print_rows(rows, as_json)
