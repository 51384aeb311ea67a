"""The commands ``keybeam tx calibration``."""

from pathlib import Path

import click

from keybeam.device import Transmitter
from keybeam.options import as_json, port_option
from keybeam.output import print_rows, print_sections
from keybeam.protocol.identity import Role
from keybeam.transmitter.calibration import calibration_sections, load_lane_delays
from keybeam.transmitter.calibration_file import load_calibration

__all__ = ["calibration"]

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def calibration() -> None:
    """Show and load what `keybeam instruments measure` found.

    \b
    Example:
        keybeam tx calibration load calibration.json --port /dev/ttyUSB0
    """


@calibration.command()
@_file
@as_json
def show(file: Path, as_json: bool) -> None:
    """Show what a calibration says, for the board and for the equipment around it.

    \b
    Example:
        keybeam tx calibration show calibration.json
    """
    print_sections(calibration_sections(load_calibration(file)), as_json)


@calibration.command()
@port_option(Role.TRANSMITTER)
@_file
@as_json
def load(port: str, file: Path, as_json: bool) -> None:
    """Load the delays of lanes into the transmitter, whose pattern must not run.

    \b
    Example:
        keybeam tx calibration load calibration.json --port /dev/ttyUSB0
    """
    found = load_calibration(file)
    with Transmitter(port) as board:
        loaded = load_lane_delays(board, found)
    print_rows([{"lane": lane, **delays} for lane, delays in loaded.items()], as_json)
