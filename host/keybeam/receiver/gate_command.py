"""The commands ``keybeam rx gate``, ``slot-clock`` and ``histogram``."""

from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from keybeam.device import Receiver
from keybeam.options import FiniteFloat, NewFile, as_json, port_option
from keybeam.output import Value, print_json, print_rows, print_sections
from keybeam.protocol.identity import Role
from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOT_PS
from keybeam.protocol.records import DETECTOR_CHANNELS, TAGGED_CHANNELS, Channel
from keybeam.receiver.gating import (
    GateMode,
    Marker,
    follow_clock,
    gate_settings,
    marker_settings,
    set_gate,
    set_marker,
)
from keybeam.receiver.histogram import (
    BIN_PS,
    PhaseCounts,
    centre_of,
    count_phases,
    read_phases,
)
from keybeam.receiver.progress import shown_progress
from keybeam.receiver.recovery import recover_clock
from keybeam.tags.plots import Plot, Series, html_page, text_plot
from keybeam.whole_files import write_whole

__all__ = ["gate", "histogram", "slot_clock"]

_port = port_option(Role.RECEIVER)
_CHANNELS = [channel.name for channel in Channel]
_TAGGED = [channel.name for channel in TAGGED_CHANNELS]


@click.command()
@_port
@click.argument("channel", required=False, type=click.Choice(_TAGGED, case_sensitive=False))
@click.option(
    "--mode", type=click.Choice([mode.name.lower() for mode in GateMode]), help="What passes."
)
@click.option("--begin", type=FiniteFloat(0, SLOT_PS), help="Begin of the window, ps in the slot.")
@click.option("--width", type=FiniteFloat(0, SLOT_PS), help="Width of the window in ps.")
@click.option("--around-peak", is_flag=True, help="Put the window around the histogram's centre.")
@click.option("--phase", type=FiniteFloat(-SLOT_PS, SLOT_PS), help="Added to every phase, in ps.")
@click.option(
    "--marker",
    type=click.Choice(_CHANNELS, case_sensitive=False),
    help="Whose events open the window of mode marker.",
)
@click.option("--after", type=FiniteFloat(0), help="From the marker to that window, in ps.")
@click.option("--length", type=FiniteFloat(0), help="Length of that window in ps.")
@as_json
def gate(
    port: str,
    channel: str | None,
    mode: str | None,
    begin: float | None,
    width: float | None,
    around_peak: bool,
    phase: float | None,
    marker: str | None,
    after: float | None,
    length: float | None,
    as_json: bool,
) -> None:
    """Show the gates, or set that of a channel, or the window after a marker for all.

    Phases are those of the slot clock: `keybeam rx slot-clock` first.

    \b
    Examples:
        keybeam rx gate --port /dev/ttyUSB0
        keybeam rx gate H --mode slot --around-peak --width 800 --port /dev/ttyUSB0
        keybeam rx gate --marker PPS --after 0 --length 1e8 --port /dev/ttyUSB0
        keybeam rx gate AUX_1 --mode marker --port /dev/ttyUSB0
    """
    if around_peak and (begin is not None or width is None):
        raise click.UsageError("--around-peak needs --width, and makes --begin")
    given: dict[str, Any] = {
        "mode": None if mode is None else GateMode[mode.upper()],
        "begin_ps": begin,
        "width_ps": width,
        "phase_ps": phase,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if changes and channel is None:
        raise click.UsageError(f"say which channel to change: {', '.join(_TAGGED)}")
    chosen = list(TAGGED_CHANNELS) if channel is None else [Channel[channel]]
    with Receiver(port) as board:
        if around_peak and width is not None:
            with shown_progress() as tell:
                counts = read_phases(board, chosen[0], tell=lambda part: tell("reading", part))
            changes["begin_ps"] = centre_of(counts) - width / 2
        if changes:
            set_gate(board, chosen[0], **changes)
        now = marker_settings(board)
        if marker is not None or after is not None or length is not None:
            now = Marker(
                now.channel if marker is None else Channel[marker],
                now.begin_ps if after is None else after,
                now.length_ps if length is None else length,
            )
            set_marker(board, now)
            now = marker_settings(board)
        found = {each: gate_settings(board, each) for each in chosen}
    rows: list[dict[str, Value]] = [
        {
            "channel": each.name,
            "mode": one.mode.name.lower(),
            "begin, ps": one.begin_ps,
            "width, ps": one.width_ps,
            "phase, ps": one.phase_ps,
            "rejected": one.rejected,
        }
        for each, one in found.items()
    ]
    marks: dict[str, Value] = {
        "channel": now.channel.name,
        "after, ps": now.begin_ps,
        "length, ps": now.length_ps,
    }
    if as_json:
        print_json({"channels": rows, "marker": marks})
    else:
        print_rows(rows, as_json=False, title="gates")
        print_rows([marks], as_json=False, title="window of mode marker")


@click.command("slot-clock")
@_port
@click.option(
    "--window",
    type=FiniteFloat(min=1e-3),
    default=0.1,
    show_default=True,
    help="Seconds of sync words from which the clock is taken.",
)
@as_json
def slot_clock(port: str, window: float, as_json: bool) -> None:
    """Let the board's slot clock run with the transmitter's pulses, for gates and histograms.

    Takes sync words from the record stream. Later changes of the drift are not followed: repeat it
    every second or so of a pass.

    \b
    Example:
        keybeam rx slot-clock --port /dev/ttyUSB0
    """
    with Receiver(port) as board:
        state, time = recover_clock(board, window)
        settings = follow_clock(board, state, time)
    row: dict[str, Value] = {
        "from frame": state.first_counter,
        "to frame": state.last_counter,
        "sync words": state.words,
        "scatter, ps": round(state.scatter_ps, 2),
        "rate, ppm": round(1e6 * state.rate, 6),
        "drift, ppm/s": round(1e6 * state.drift, 4),
        "runs since, s": settings.at * FABRIC_PERIOD_PS * 1e-12,
    }
    print_sections({"slot clock": row}, as_json)


@click.command()
@_port
@click.argument(
    "names",
    metavar="[CHANNEL]...",
    nargs=-1,
    type=click.Choice(_TAGGED, case_sensitive=False),
)
@click.option(
    "--count",
    "seconds",
    type=FiniteFloat(0, 3600, min_open=True),
    help="Begin from zero and count for so many seconds; else show what was counted.",
)
@click.option(
    "--begin", type=FiniteFloat(0, SLOT_PS), default=0.0, help="Show phases from here, in ps."
)
@click.option(
    "--end",
    type=FiniteFloat(0, SLOT_PS),
    default=float(SLOT_PS),
    show_default=True,
    help="And up to here.",
)
@click.option("--html", type=NewFile(), help="Write a page with the plot, which needs no network.")
@as_json
def histogram(
    port: str,
    names: tuple[str, ...],
    seconds: float | None,
    begin: float,
    end: float,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show where in the slot the events of channels lie, as the board counts them.

    All events count, also those that a gate leaves out and no slow link could carry; 1024 bins of
    1.5625 ps. Without CHANNEL those of the four detectors. Phases are those of the slot clock:
    `keybeam rx slot-clock` first.

    \b
    Examples:
        keybeam rx histogram --count 1 --port /dev/ttyUSB0
        keybeam rx histogram H --count 10 --html h.html --port /dev/ttyUSB0
    """
    bins = range(round(begin / BIN_PS), round(end / BIN_PS))
    if not bins:
        raise click.UsageError("--begin must be less than --end")
    chosen = [Channel[name] for name in names] or list(DETECTOR_CHANNELS)
    found: dict[str, PhaseCounts] = {}
    with Receiver(port) as board, shown_progress() as tell:
        if seconds is not None:
            count_phases(board, chosen, seconds, lambda part: tell("counting", part))
        for channel in chosen:
            what = f"reading {channel.name}"
            found[channel.name] = read_phases(board, channel, bins, partial(tell, what))
    plot = _phase_plot(found, bins)
    facts = {
        name: f"{counts.sum():,} events"
        + (f", centre {centre_of(counts):.1f} ps" if counts.any() else "")
        for name, counts in found.items()
    }
    if html is not None:
        write_whole(html, html_page(plot, facts))
    if as_json:
        print_json(
            {
                "bin_ps": BIN_PS,
                "channels": {
                    name: {
                        "counts": counts.tolist(),
                        "centre_ps": centre_of(counts) if counts.any() else None,
                    }
                    for name, counts in found.items()
                },
            }
        )
        return
    click.echo(text_plot(plot, min(Console().width, 120)))
    for name, fact in facts.items():
        click.echo(f"{name}: {fact}")


def _phase_plot(found: dict[str, PhaseCounts], bins: range) -> Plot:
    middles = (np.array(bins, np.float64) + 0.5) * BIN_PS
    return Plot(
        "phases in the slot",
        "phase / ps",
        f"events in {BIN_PS} ps",
        tuple(
            Series(name, middles, counts[bins.start : bins.stop].astype(np.float64))
            for name, counts in found.items()
        ),
        steps=True,
    )
