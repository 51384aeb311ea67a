"""The command ``keybeam rx``: everything of the receiver that a lab sets and reads."""

from typing import Any

import click

from keybeam.device import Receiver
from keybeam.options import FiniteFloat, as_json, port_option
from keybeam.output import print_json, print_rows, print_sections
from keybeam.protocol.identity import Role
from keybeam.protocol.records import Channel
from keybeam.receiver.calibration_command import calibrate, drift, table
from keybeam.receiver.channels import (
    MOST_DEAD_TIME_PS,
    MOST_DELAY_PS,
    Edge,
    channel_settings,
    set_channel,
)
from keybeam.receiver.gate_command import gate, histogram, slot_clock
from keybeam.receiver.line import line_status, set_line
from keybeam.receiver.status import channel_rates, clear_flags, receiver_status
from keybeam.receiver.sync_command import sync_errors

__all__ = ["rx"]

_port = port_option(Role.RECEIVER)
_CHANNELS = [channel.name for channel in Channel]


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
@as_json
def clear(port: str, as_json: bool) -> None:
    """Clear all sticky flags and alarms, and tell which were set.

    \b
    Example:
        keybeam rx clear --port /dev/ttyUSB0
    """
    with Receiver(port) as board:
        print_sections(clear_flags(board), as_json)


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


for _command in (calibrate, drift, gate, histogram, slot_clock, sync_errors, table):
    rx.add_command(_command)
