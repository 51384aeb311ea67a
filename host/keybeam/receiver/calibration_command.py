"""The commands ``keybeam rx calibrate``, ``table`` and ``drift``."""

from functools import partial
from pathlib import Path

import click

from keybeam.device import Receiver
from keybeam.options import NewFile, as_json, port_option
from keybeam.output import Value, print_rows
from keybeam.protocol.identity import Role
from keybeam.protocol.records import TAGGED_CHANNELS, Channel
from keybeam.receiver import calibration as calibrations
from keybeam.receiver.calibration_file import (
    Calibration,
    ChannelCounts,
    load_calibration,
    save_calibration,
)
from keybeam.receiver.channels import Edge
from keybeam.receiver.errors import ReceiverError
from keybeam.receiver.plots import write_linearity_plot
from keybeam.receiver.progress import shown_progress
from keybeam.receiver.tables import linearity_rows

__all__ = ["calibrate", "drift", "table"]

_port = port_option(Role.RECEIVER)
_TAGGED = [channel.name for channel in TAGGED_CHANNELS]
_SAVED = click.Path(exists=True, dir_okay=False, path_type=Path)
_channels_option = click.option(
    "--channel",
    "names",
    type=click.Choice(_TAGGED, case_sensitive=False),
    multiple=True,
    help="Channel; may be repeated.  [default: all there are]",
)


@click.command()
@_port
@click.argument("file", type=NewFile())
@_channels_option
@click.option(
    "--edges",
    type=click.Choice([Edge.RISING.value, Edge.FALLING.value, Edge.BOTH.value]),
    default=Edge.BOTH.value,
    show_default=True,
    help="Directions of edges to calibrate.",
)
@click.option(
    "--counts",
    type=click.IntRange(1000, 1 << 31),
    default=1_000_000,
    show_default=True,
    help="Edges to count of each channel and direction.",
)
@click.option("--plot", type=NewFile(), help="Draw the non-linearity of every channel (SVG).")
@click.option("--no-load", is_flag=True, help="Leave the board's tables as they are.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@as_json
def calibrate(
    port: str,
    file: Path,
    names: tuple[str, ...],
    edges: str,
    counts: int,
    plot: Path | None,
    no_load: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Calibrate the delay lines by the ring oscillator; keep the counts in FILE, load the tables.

    A channel records nothing while it is calibrated. Every channel without --channel.

    \b
    Examples:
        keybeam rx calibrate lines.json --port /dev/ttyUSB0
        keybeam rx calibrate h.json --channel H --counts 4000000 --plot h.svg --port /dev/ttyUSB0
    """
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists: give another name, or --force to replace it")
    chosen = [Channel[name] for name in names] or list(TAGGED_CHANNELS)
    found: dict[str, ChannelCounts] = {}
    with Receiver(port) as board:
        for channel in chosen:
            calibrations.lines_of(board, channel)
        with shown_progress() as tell:
            pulses = calibrations.ring_pulses(board, partial(tell, "counting the ring"))
            for channel in chosen:
                found[channel.name] = calibrations.calibrate_channel(
                    board,
                    channel,
                    counts=counts,
                    pulses=pulses,
                    edge=Edge(edges),
                    report_progress=tell,
                )
                # Made before anything is loaded or written: too few counts are said here.
                found[channel.name].tables()
            result = calibrations.new_calibration(board, found)
            save_calibration(file, result)
            if not no_load:
                calibrations.load_tables(board, result, report_progress=tell)
    if plot is not None:
        write_linearity_plot(result, plot)
    print_rows(linearity_rows(result), as_json)


@click.group()
def table() -> None:
    """Show and load calibration tables that were kept in files.

    \b
    Example:
        keybeam rx table load lines.json --port /dev/ttyUSB0
    """


@table.command()
@click.argument("file", type=_SAVED)
@click.option("--plot", type=NewFile(), help="Draw the non-linearity of every channel (SVG).")
@as_json
def show(file: Path, plot: Path | None, as_json: bool) -> None:
    """Show what a file of calibrations says of the lines.

    \b
    Example:
        keybeam rx table show lines.json --plot lines.svg
    """
    found = load_calibration(file)
    if plot is not None:
        write_linearity_plot(found, plot)
    print_rows(linearity_rows(found), as_json, title=f"{file}, of {found.created}")


@table.command()
@_port
@click.argument("file", type=_SAVED)
@_channels_option
@as_json
def load(port: str, file: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Load the tables of a file into the board.

    \b
    Example:
        keybeam rx table load lines.json --channel H --port /dev/ttyUSB0
    """
    found = _of_channels(load_calibration(file), names)
    with Receiver(port) as board, shown_progress() as tell:
        calibrations.load_tables(board, found, report_progress=tell)
    print_rows([{"channel": name, "loaded": True} for name in found.channels], as_json)


def _of_channels(calibration: Calibration, names: tuple[str, ...]) -> Calibration:
    """Take some channels of a calibration; all without names."""
    missing = [name for name in names if name not in calibration.channels]
    if missing:
        raise ReceiverError(f"the file has no calibration of {', '.join(missing)}")
    return calibration.of_channels(names or tuple(calibration.channels))


@click.command()
@_port
@click.argument("file", type=_SAVED)
@click.option("--load", "loads", is_flag=True, help="Load the tables that follow the drift.")
@as_json
def drift(port: str, file: Path, loads: bool, as_json: bool) -> None:
    """Tell by the ring oscillator how delays have changed since FILE; the channels run on.

    \b
    Example:
        keybeam rx drift lines.json --load --port /dev/ttyUSB0
    """
    stored = load_calibration(file)
    with Receiver(port) as board, shown_progress() as tell:
        pulses = calibrations.ring_pulses(board, partial(tell, "counting the ring"))
        if loads:
            calibrations.load_tables(board, stored, pulses=pulses, report_progress=tell)
    ratios = {name: counts.pulses / pulses for name, counts in stored.channels.items()}
    rows: list[dict[str, Value]] = [
        {
            "channel": name,
            "delays now / then": round(ratio, 6),
            "change, %": round(100 * (ratio - 1), 4),
            "loaded": loads,
        }
        for name, ratio in ratios.items()
    ]
    print_rows(rows, as_json)
