"""The command ``keybeam laboratory``: simulated instruments to try every routine with."""

import signal
import threading
from pathlib import Path

import click

from keybeam.options import NewFile
from keybeam_sim.laboratory.server import Laboratory
from keybeam_sim.laboratory.station_file import station_text

__all__ = ["laboratory"]


@click.command()
@click.argument("station", type=NewFile())
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the bench.")
@click.option(
    "--first-port",
    type=click.IntRange(1024, 65_000),
    help="Listen at this TCP port and the next ones.  [default: free ones]",
)
@click.option("--force", is_flag=True, help="Replace STATION if it exists.")
def laboratory(station: Path, seed: int, first_port: int | None, force: bool) -> None:
    """Run simulated instruments until interrupted, and write the station file that names them.

    They stand around a bench whose laser, modulators, fibre and wave plates follow the physics;
    `keybeam instruments` drives them through PyVISA as it does real ones.

    \b
    Examples:
        keybeam laboratory station.toml
        keybeam instruments measure modulator station.toml      # in another terminal
    """
    if station.exists() and not force:
        raise click.UsageError(f"{station} exists: give another name, or --force to replace it")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Laboratory(seed, first_port=first_port or 0) as instruments:
        station.write_text(station_text(instruments.resource, instruments.bench))
        click.echo(f"{station} names the simulated instruments. Stop them by Ctrl-C.")
        ended.wait()
