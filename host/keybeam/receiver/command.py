"""The command ``keybeam rx``: everything of the receiver that a lab sets and reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from keybeam.device import Receiver
from keybeam.options import FiniteFloat, NewFile, as_json, port_option
from keybeam.output import Value, print_json, print_rows, print_sections
from keybeam.protocol.identity import Role
from keybeam.protocol.records import TAGGED_CHANNELS, Channel
from keybeam.receiver import calibration as calibrations
from keybeam.receiver.calibration_file import (
    Calibration,
    ChannelCounts,
    load_calibration,
    save_calibration,
)
from keybeam.receiver.channels import (
    MOST_DEAD_TIME_PS,
    MOST_DELAY_PS,
    Edge,
    channel_settings,
    set_channel,
)
from keybeam.receiver.errors import ReceiverError
from keybeam.receiver.line import line_status, set_line
from keybeam.receiver.plots import write_linearity_plot
from keybeam.receiver.status import channel_rates, clear_flags, receiver_status
from keybeam.receiver.tables import linearity_rows

__all__ = ["rx"]

_port = port_option(Role.RECEIVER)
_CHANNELS = [channel.name for channel in Channel]
_TAGGED = [channel.name for channel in TAGGED_CHANNELS]
_SAVED = click.Path(exists=True, dir_okay=False, path_type=Path)
_channels_option = click.option(
    "--channel",
    "names",
    type=click.Choice(_TAGGED, case_sensitive=False),
    multiple=True,
    help="Channel; may be repeated.  [default: all there are]",
)


@contextmanager
def _progress() -> Iterator[calibrations.Progress]:
    """Show on standard error how far what takes long has come."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, part: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=1.0)
            bar.update(tasks[what], completed=part)

        yield tell


@click.group()
def rx() -> None:
    """Set, calibrate and read a receiver.

    \b
    Example:
        keybeam rx status --port /dev/ttyUSB0
    """


@rx.command()
@_port
@as_json
def status(port: str, as_json: bool) -> None:
    """Tell what the receiver does: lock, downlink, rates and losses of the channels, alarms.

    \b
    Example:
        keybeam rx status --port /dev/ttyUSB0 --json
    """
    with Receiver(port) as board:
        sections, channels = receiver_status(board), channel_rates(board)
    if as_json:
        print_json({**sections, "channels": channels})
        return
    print_sections(sections, as_json=False)
    print_rows(
        [{"channel": name, **row} for name, row in channels.items()],
        as_json=False,
        title="channels",
    )


@rx.command()
@_port
def clear(port: str) -> None:
    """Clear all sticky flags and alarms, and tell which were set.

    \b
    Example:
        keybeam rx clear --port /dev/ttyUSB0
    """
    with Receiver(port) as board:
        print_sections(clear_flags(board), as_json=False)


@rx.command()
@_port
@click.argument("channel", required=False, type=click.Choice(_CHANNELS, case_sensitive=False))
@click.option("--enable/--disable", "enabled", default=None, help="Whether it records.")
@click.option("--edge", type=click.Choice([edge.value for edge in Edge]), help="Edges that count.")
@click.option(
    "--delay",
    type=FiniteFloat(-MOST_DELAY_PS, MOST_DELAY_PS),
    help="Added to every time, in ps; rounded to 0.39 ps.",
)
@click.option(
    "--dead-time",
    type=FiniteFloat(0, MOST_DEAD_TIME_PS),
    help="After an edge, in which others are left out, in ps.",
)
@click.option("--divider", type=click.IntRange(1, 65535), help="Edges for one event.")
@click.option(
    "--rate-limit",
    type=FiniteFloat(0, 156.25e6),
    help="Edges a second that raise the alarm; 0 for none.",
)
@click.option(
    "--sampled-offset",
    type=click.IntRange(-64, 63),
    help="Slots by which the sampled input is behind, for the comparison.",
)
@as_json
def channels(
    port: str,
    channel: str | None,
    enabled: bool | None,
    edge: str | None,
    delay: float | None,
    dead_time: float | None,
    divider: int | None,
    rate_limit: float | None,
    sampled_offset: int | None,
    as_json: bool,
) -> None:
    """Show the settings of the channels, or change those of one.

    A delay needs a channel that is off: the command switches it off for that moment.

    \b
    Examples:
        keybeam rx channels --port /dev/ttyUSB0
        keybeam rx channels V --delay -1250 --dead-time 45000 --port /dev/ttyUSB0
        keybeam rx channels AUX_1 --enable --edge both --rate-limit 1e6 --port /dev/ttyUSB0
    """
    given: dict[str, Any] = {
        "enabled": enabled,
        "edge": None if edge is None else Edge(edge),
        "delay_ps": delay,
        "dead_time_ps": dead_time,
        "divider": divider,
        "rate_limit_hz": rate_limit,
        "sampled_offset": sampled_offset,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if changes and channel is None:
        raise click.UsageError(f"say which channel to change: {', '.join(_CHANNELS)}")
    chosen = list(Channel) if channel is None else [Channel[channel]]
    with Receiver(port) as board:
        if changes:
            set_channel(board, chosen[0], **changes)
        found = {each: channel_settings(board, each) for each in chosen}
    rows = [
        {
            "channel": each.name,
            "enabled": one.enabled,
            "edge": None if one.edge is None else one.edge.value,
            "delay, ps": one.delay_ps,
            "dead time, ps": one.dead_time_ps,
            "divider": one.divider,
            "rate limit, /s": one.rate_limit_hz or None,
            "sampled offset": one.sampled_offset,
        }
        for each, one in found.items()
    ]
    print_rows(rows, as_json)


@rx.command()
@_port
@click.option("--search-tolerance", type=click.IntRange(0, 15), help="Wrong bits while searching.")
@click.option("--lock-tolerance", type=click.IntRange(0, 15), help="Wrong bits when locked.")
@click.option(
    "--verify-frames", type=click.IntRange(0, 15), help="Further words before it is locked."
)
@click.option(
    "--flywheel-frames", type=click.IntRange(0, 255), help="Words that may be missed in a row."
)
@click.option("--hysteresis", type=click.IntRange(1, 31), help="Of the sampling phase.")
@click.option("--sync-word", metavar="WORD", help="Such as 0x1ACFFC1D; the transmitter's, too.")
@click.option(
    "--bits", type=click.Choice(["32", "64"]), default="64", show_default=True, help="Of the word."
)
@as_json
def line(port: str, sync_word: str | None, bits: str, as_json: bool, **numbers: int | None) -> None:
    """Show the downlink: signal, lock, bit slips, frames; or change how it is recovered.

    \b
    Examples:
        keybeam rx line --port /dev/ttyUSB0
        keybeam rx line --flywheel-frames 100 --port /dev/ttyUSB0
    """
    word = None if sync_word is None else (_number(sync_word), int(bits))
    changes = {name: value for name, value in numbers.items() if value is not None}
    with Receiver(port) as board:
        if changes or word:
            set_line(board, word, **changes)
        print_sections(line_status(board), as_json)


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no number, such as 0x1ACFFC1D") from None


@rx.command()
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
        with _progress() as tell:
            for channel in chosen:
                found[channel.name] = calibrations.calibrate_channel(
                    board, channel, counts=counts, edge=Edge(edges), report_progress=tell
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


@rx.group()
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
def load(port: str, file: Path, names: tuple[str, ...]) -> None:
    """Load the tables of a file into the board.

    \b
    Example:
        keybeam rx table load lines.json --channel H --port /dev/ttyUSB0
    """
    found = _of_channels(load_calibration(file), names)
    with Receiver(port) as board, _progress() as tell:
        calibrations.load_tables(board, found, report_progress=tell)


def _of_channels(calibration: Calibration, names: tuple[str, ...]) -> Calibration:
    """Take some channels of a calibration; all without names."""
    missing = [name for name in names if name not in calibration.channels]
    if missing:
        raise ReceiverError(f"the file has no calibration of {', '.join(missing)}")
    return calibration.of_channels(names or tuple(calibration.channels))


@rx.command()
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
    with Receiver(port) as board, _progress() as tell:
        pulses = calibrations.ring_pulses(board, lambda part: tell("counting the ring", part))
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
