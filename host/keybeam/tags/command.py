"""The command ``keybeam tags``."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from keybeam.device import Receiver
from keybeam.tags.capture import CaptureWriter
from keybeam.tags.recording import board_metadata
from keybeam.tags.recording import record as record_stream
from keybeam.tags.summary import CaptureSummary, summarise_capture

__all__ = ["tags"]

_as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


def _port(required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--port",
        required=required,
        envvar="KEYBEAM_RECEIVER",
        show_envvar=True,
        metavar="PORT",
        help="Where the receiver is: /dev/ttyUSB0, serial:PATH?baud=N or tcp:HOST:PORT.",
    )


@contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end what goes on in order: gives a function that tells whether it was pressed."""
    pressed = False

    def press(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    before = {number: signal.signal(number, press) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.group()
def tags() -> None:
    """Record, look at and convert captures of time tags.

    \b
    Example:
        keybeam tags record --port /dev/ttyUSB0 pass.h5
        keybeam tags info pass.h5
    """


@tags.command()
@click.argument("file", type=_NEW_FILE)
@_port(required=True)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds to record, by the board's clock; without it until Ctrl-C.",
)
@click.option(
    "--silence",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    help="Seconds without any record that end the recording.",
)
@click.option(
    "--bin",
    "bin_ps",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Width in ps of the bins of detections; kept in the capture.",
)
@click.option(
    "--sync-bin",
    "sync_bin_ps",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Width in ps of the bins of sync words; kept in the capture.",
)
@click.option("--comment", default="", help="Text to keep in the capture.")
@click.option(
    "--compression",
    type=click.IntRange(0, 9),
    default=1,
    show_default=True,
    help="Level of DEFLATE; 0 keeps up with the fastest links.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@_as_json
def record(
    file: Path,
    port: str,
    duration: float | None,
    silence: float,
    bin_ps: float,
    sync_bin_ps: float,
    comment: str,
    compression: int,
    force: bool,
    as_json: bool,
) -> None:
    """Record a receiver's tags to FILE until Ctrl-C, or for a time.

    The settings of the board are kept with the records. Ctrl-C, and a full disk too, leave a sound
    file.

    \b
    Examples:
        keybeam tags record --port /dev/ttyUSB0 --duration 60 pass.h5
        keybeam tags record --port tcp:127.0.0.1:7002 --comment "dark counts" dark.h5
    """
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists: give another name, or --force to replace it")
    with _until_interrupted() as stop, Receiver(port) as board:
        metadata = board_metadata(board, bin_ps=bin_ps, sync_bin_ps=sync_bin_ps, comment=comment)
        columns = (TextColumn("{task.description}"), TimeElapsedColumn())
        with (
            Progress(*columns, console=Console(stderr=True), transient=True) as bar,
            CaptureWriter(file, metadata, compression=compression) as writer,
        ):
            task = bar.add_task("waiting for records")

            def tell(seconds: float, records: int, lost: int) -> None:
                text = f"{seconds:.1f} s of tags, {records:,} records, {lost:,} lost"
                bar.update(task, description=text)

            record_stream(
                board,
                writer,
                duration_s=duration,
                stop=stop,
                silence_s=silence,
                progress=tell,
            )
    _show_summary(file, summarise_capture(file), as_json)


@tags.command()
@click.argument("file", type=_FILE)
@_as_json
def info(file: Path, as_json: bool) -> None:
    """Check a capture from end to end and tell what it holds.

    \b
    Example:
        keybeam tags info pass.h5 --json
    """
    _show_summary(file, summarise_capture(file), as_json)


def _show_summary(file: Path, summary: CaptureSummary, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(summary).decode())
        return
    table = Table(title=str(file), show_header=False)
    table.add_column("quantity")
    table.add_column("value", justify="right")
    seconds, metadata = summary.duration_s, summary.metadata
    for name in ("created", "software", "source", "gateware", "register_map", "comment"):
        if text := getattr(metadata, name):
            table.add_row(name.replace("_", " "), text)
    table.add_row("records", f"{summary.records:,}")
    if not summary.complete:
        table.add_row("complete", "no: the disk was full")
    table.add_row("duration", f"{seconds:.6f} s")
    for channel, count in summary.tags.items():
        rate = f" ({count / seconds:,.0f} /s)" if seconds else ""
        table.add_row(f"tags of {channel}", f"{count:,}{rate}")
    table.add_row("sync words", f"{summary.sync_words:,}")
    table.add_row("  of the flywheel", f"{summary.flywheel_sync_words:,}")
    table.add_row("valid frame headers", f"{summary.valid_headers:,}")
    if summary.first_frame is not None:
        table.add_row("frames", f"{summary.first_frame} to {summary.last_frame}")
    table.add_row("gaps", f"{summary.gaps:,}")
    table.add_row("records lost", f"{summary.lost:,}")
    Console().print(table)
