"""The command ``keybeam tags``."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.live import Live
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from keybeam.device import Receiver
from keybeam.options import FiniteFloat, NewFile, as_json, port_option
from keybeam.output import print_json
from keybeam.protocol.identity import Role
from keybeam.protocol.numbers import SLOT_PS
from keybeam.protocol.records import CHANNEL_BITS, FINE_PS
from keybeam.tags.capture import CaptureWriter
from keybeam.tags.clocks import capture_clock
from keybeam.tags.correlation import correlate_capture
from keybeam.tags.options import CAPTURE_FILE, channel_number, html_option, show, write_page
from keybeam.tags.phases import PhaseReference, phase_histogram
from keybeam.tags.plots import Plot, Series, text_plot
from keybeam.tags.ptu import export_ptu, import_ptu
from keybeam.tags.rates import RateCounter, capture_rates
from keybeam.tags.recording import board_metadata, decoded_stream
from keybeam.tags.recording import record as record_stream
from keybeam.tags.summary import CaptureSummary, channel_name, summarise_capture
from keybeam.tags.sync_command import sync
from keybeam.timing import ClockState, RecordDecoder

__all__ = ["tags"]

_NEW_FILE = NewFile()


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
@port_option(Role.RECEIVER)
@click.option(
    "--duration",
    type=FiniteFloat(min=0, min_open=True),
    help="Seconds to record, by the board's clock; without it until Ctrl-C.",
)
@click.option(
    "--silence",
    type=FiniteFloat(min=0.1),
    default=30.0,
    show_default=True,
    help="Seconds without any record that end the recording.",
)
@click.option(
    "--bin",
    "bin_ps",
    type=FiniteFloat(min=0),
    default=0.0,
    show_default=True,
    help="Width in ps of the bins of detections; kept in the capture.",
)
@click.option(
    "--sync-bin",
    "sync_bin_ps",
    type=FiniteFloat(min=0),
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
@as_json
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
@click.argument("file", type=CAPTURE_FILE)
@as_json
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


@tags.command()
@click.argument("file", type=CAPTURE_FILE)
@click.option(
    "--against",
    type=click.Choice([reference.value for reference in PhaseReference]),
    default=PhaseReference.SYNC.value,
    show_default=True,
    help="Whose slots: the transmitter's by the sync words, or the receiver's own clock.",
)
@click.option(
    "--bins", type=click.IntRange(1, 4096), default=100, show_default=True, help="Bins in a slot."
)
@click.option(
    "--delay",
    type=FiniteFloat(),
    default=0.0,
    show_default=True,
    help="Picoseconds to take off each time.",
)
@html_option
@as_json
def histogram(
    file: Path, against: str, bins: int, delay: float, html: Path | None, as_json: bool
) -> None:
    """Show where in the slot of 1600 ps the detections of a capture lie.

    \b
    Examples:
        keybeam tags histogram pass.h5
        keybeam tags histogram dark.h5 --against clock --bins 1024 --html phase.html
    """
    found = phase_histogram(file, bins=bins, reference=PhaseReference(against), delay_ps=delay)
    middles = (found.edges_ps[1:] + found.edges_ps[:-1]) / 2
    plot = Plot(
        f"{file.name}: phase in the slot",
        "deviation from the slot centre / ps",
        f"detections in {SLOT_PS / bins:.4g} ps",
        tuple(
            Series(channel_name(channel), middles, counts.astype(np.float64))
            for channel, counts in found.counts.items()
        ),
        steps=True,
    )
    facts = {
        channel_name(
            channel
        ): f"{counts.sum():,} detections, centre {found.centres_ps[channel]:.1f} "
        f"ps, contrast {found.contrasts[channel]:.3f}, {found.gated[channel]:.1%} within ±400 ps"
        for channel, counts in found.counts.items()
    }
    if not as_json:
        show(plot, facts, html)
        return
    write_page(plot, facts, html)
    channels = {
        channel_name(channel): {
            "counts": counts.tolist(),
            "centre_ps": found.centres_ps[channel],
            "contrast": found.contrasts[channel],
            "gated": found.gated[channel],
        }
        for channel, counts in found.counts.items()
    }
    print_json({"edges_ps": found.edges_ps.tolist(), "channels": channels})


@tags.command()
@click.argument("file", type=CAPTURE_FILE, required=False)
@port_option(Role.RECEIVER, required=False)
@click.option(
    "--interval",
    type=FiniteFloat(min=1e-6),
    default=0.1,
    show_default=True,
    help="Seconds in which detections are counted.",
)
@click.option(
    "--duration",
    type=FiniteFloat(min=0, min_open=True),
    help="Seconds to watch a board, by its clock; without it until Ctrl-C.",
)
@click.option(
    "--window",
    type=click.IntRange(2),
    default=300,
    show_default=True,
    help="Newest intervals of a board that are shown.",
)
@click.option(
    "--silence",
    type=FiniteFloat(min=0.1),
    default=30.0,
    show_default=True,
    help="Seconds without any record that end watching a board.",
)
@html_option
@as_json
def rates(
    file: Path | None,
    port: str | None,
    interval: float,
    duration: float | None,
    window: int,
    silence: float,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show count rates against time: of a capture, or of a board as they come.

    \b
    Examples:
        keybeam tags rates pass.h5 --interval 1 --html rates.html
        keybeam tags rates --port /dev/ttyUSB0
    """
    if file is not None:
        name, (times, found) = file.name, capture_rates(file, interval)
    elif port is not None:
        name = port
        counter = RateCounter(interval, keep=window)
        _watch(counter, port, duration, silence, quiet=as_json)
        times, found = counter.rates()
    else:
        raise click.UsageError("give a capture, or --port for a board")
    plot = _rate_plot(name, times, found)
    facts = {
        channel_name(channel): f"mean {values.mean():,.0f} /s, least {values.min():,.0f} /s, "
        f"most {values.max():,.0f} /s"
        for channel, values in found.items()
    }
    if not as_json:
        show(plot, facts, html)
        return
    write_page(plot, facts, html)
    series = {channel_name(channel): values.tolist() for channel, values in found.items()}
    print_json({"interval_s": interval, "times_s": times.tolist(), "rates": series})


def _rate_plot(
    name: str, times: NDArray[np.float64], found: dict[int, NDArray[np.float64]]
) -> Plot:
    series = tuple(
        Series(channel_name(channel), times, values) for channel, values in found.items()
    )
    return Plot(f"{name}: count rates", "time / s", "detections a second", series)


def _watch(
    counter: RateCounter, port: str, duration: float | None, silence: float, quiet: bool
) -> None:
    """Count a board's detections, and show the rates about four times a second."""
    console = Console(stderr=True, quiet=quiet)
    enough = False
    with (
        _until_interrupted() as stop,
        Receiver(port) as board,
        Live(console=console, auto_refresh=False, transient=True) as live,
    ):
        shown = 0.0
        stream = decoded_stream(
            board,
            RecordDecoder(channels=1 << CHANNEL_BITS),
            stop=lambda: stop() or enough,
            silence_s=silence,
        )
        for chunk in stream:
            counter.feed(chunk)
            enough = duration is not None and counter.elapsed_s >= duration
            if not quiet and time.monotonic() - shown > 0.25:
                shown = time.monotonic()
                text = text_plot(_rate_plot(port, *counter.rates()), min(console.width, 120))
                live.update(Text(text), refresh=True)


@tags.command()
@click.argument("file", type=CAPTURE_FILE)
@click.option("--first", callback=channel_number, default="H", show_default=True, help="Channel.")
@click.option(
    "--second",
    callback=channel_number,
    default="V",
    show_default=True,
    help="Channel; it clicks later at positive lags. It may be the first one.",
)
@click.option(
    "--bin",
    "bin_ps",
    type=FiniteFloat(min=0.390625),
    default=float(SLOT_PS),
    show_default=True,
    help="Width of a bin in ps. That of a pulsed source's period gives g² by pulses.",
)
@click.option(
    "--range",
    "range_ps",
    type=FiniteFloat(min=0),
    default=50.0 * SLOT_PS,
    show_default=True,
    help="Largest lag in ps.",
)
@click.option(
    "--stretch",
    type=FiniteFloat(min=1e-6),
    default=1.0,
    show_default=True,
    help="Seconds after which the rates for normalisation are taken anew.",
)
@html_option
@as_json
def g2(
    file: Path,
    first: int,
    second: int,
    bin_ps: float,
    range_ps: float,
    stretch: float,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show the second-order correlation of two channels of a capture.

    It is normalised to 1 for independent detections; errors are those of counting pairs.

    \b
    Examples:
        keybeam tags g2 dot.h5 --first H --second V --bin 13158 --range 200000
        keybeam tags g2 pass.h5 --first 0 --second 0 --bin 1000 --range 1e6 --html dead-time.html
    """
    found = correlate_capture(
        file, first, second, bin_ps=bin_ps, range_ps=range_ps, stretch_s=stretch
    )
    pair = f"{channel_name(first)} and {channel_name(second)}"
    middle = found.lags_ps.size // 2
    plot = Plot(
        f"{file.name}: g² of {pair}",
        "lag / ps",
        "g²",
        (Series(pair, found.lags_ps, found.g2, found.errors),),
        steps=True,
    )
    facts = {
        "g²(0)": f"{found.g2[middle]:.4f} ± {found.errors[middle]:.4f}",
        "pairs": f"{found.pairs.sum():,}",
        "time": f"{found.live_s:.6f} s without loss",
    }
    if not as_json:
        show(plot, facts, html)
        return
    write_page(plot, facts, html)
    print_json(
        {
            "first": channel_name(first),
            "second": channel_name(second),
            "bin_ps": found.bin_ps,
            "live_s": found.live_s,
            "lags_ps": found.lags_ps.tolist(),
            "pairs": found.pairs.tolist(),
            "g2": found.g2.tolist(),
            "errors": found.errors.tolist(),
        }
    )


@tags.command()
@click.argument("file", type=CAPTURE_FILE)
@click.option(
    "--window",
    type=FiniteFloat(min=1e-3),
    default=0.1,
    show_default=True,
    help="Seconds of sync words for each state.",
)
@html_option
@as_json
def clock(file: Path, window: float, html: Path | None, as_json: bool) -> None:
    """Show the transmitter's clock in a capture: offset, rate and drift, with their errors.

    \b
    Examples:
        keybeam tags clock pass.h5
        keybeam tags clock pass.h5 --window 1 --json
    """
    states = capture_clock(file, window)
    seconds = np.array([_seconds(state) for state in states])
    rates_ppm = np.array([1e6 * state.rate for state in states])
    errors_ppm = np.array([1e6 * state.rate_error for state in states])
    plot = Plot(
        f"{file.name}: rate of the transmitter's clock",
        "time / s",
        "relative excess of a frame / ppm",
        (Series("rate", seconds, rates_ppm, errors_ppm),),
    )
    last = states[-1]
    facts = {
        "states": f"{len(states)}, of {sum(state.words for state in states):,} sync words, "
        f"{sum(state.outliers for state in states):,} outliers left out",
        "scatter of a sync word": f"{np.median([s.scatter_ps for s in states]):.1f} ps RMS",
        "error of the start of a frame": "median "
        f"{np.median([s.offset_error_ps for s in states]):.2f} ps",
        "last state": f"frame {last.counter}, rate {1e6 * last.rate:+.6f} ± "
        f"{1e6 * last.rate_error:.6f} ppm, drift {1e6 * last.drift:+.4f} ± "
        f"{1e6 * last.drift_error:.4f} ppm/s",
    }
    write_page(plot, facts, html)
    if as_json:
        print_json({"states": [_clock_row(state) for state in states]})
    else:
        show(plot, facts, None)


def _seconds(state: ClockState) -> float:
    """Time of a state on the receiver's clock, in s."""
    return state.segment_start * FINE_PS * 1e-12 + state.start_ps(state.counter) * 1e-12


def _clock_row(state: ClockState) -> dict[str, int | float]:
    names = ("counter", "segment_counter", "segment_start", "offset_ps", "offset_error_ps", "rate")
    more = ("rate_error", "drift", "drift_error", "words", "outliers", "scatter_ps")
    return {name: getattr(state, name) for name in names + more}


@tags.command()
@click.argument("source", type=CAPTURE_FILE)
@click.argument("target", type=_NEW_FILE)
@click.option("--force", is_flag=True, help="Replace TARGET if it exists.")
@as_json
def convert(source: Path, target: Path, force: bool, as_json: bool) -> None:
    """Convert a capture to PicoQuant's .ptu (T2), or such a file (T2 or T3) to a capture.

    A .ptu file has no place for frame counters: what comes back from one has no pulse indices.

    \b
    Examples:
        keybeam tags convert pass.h5 pass.ptu
        keybeam tags convert lab.ptu lab.h5
    """
    ends = [path.suffix.lower() == ".ptu" for path in (source, target)]
    if ends[0] == ends[1]:
        raise click.UsageError("one of SOURCE and TARGET must end in .ptu, the other is a capture")
    if target.exists() and not force:
        raise click.UsageError(f"{target} exists: give another name, or --force to replace it")
    count = import_ptu(source, target) if ends[0] else export_ptu(source, target)
    if as_json:
        print_json({"target": str(target), "events": count})
    else:
        click.echo(f"{target}: {count:,} events")


tags.add_command(sync)
