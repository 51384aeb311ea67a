"""Settings of the channels of the time-tagger."""

from dataclasses import dataclass
from enum import Enum

from keybeam.protocol.numbers import FABRIC_CLOCK_HZ
from keybeam.protocol.records import FINE_PS, TAGGED_CHANNELS, Channel
from keybeam.protocol.tagger import DELAY_BITS, DIVIDER_BITS, OFFSET_BITS
from keybeam.receiver.errors import ReceiverError
from keybeam.receiver.registers import RATE_WINDOW_S, Registers, channel_register

__all__ = [
    "MOST_DEAD_TIME_PS",
    "MOST_DELAY_PS",
    "ChannelSettings",
    "Edge",
    "channel_settings",
    "set_channel",
]

MOST_DELAY_PS = 2e6
"""Longest delay of a channel, to either side, in ps."""

MOST_DEAD_TIME_PS = 10e6
"""Longest dead time of a channel in ps."""

_ENABLE = "receiver.channels.enable"


class Edge(Enum):
    """Edges of a channel's input that become events."""

    RISING = "rising"
    FALLING = "falling"
    BOTH = "both"
    NONE = "none"


_EDGE_BITS = {Edge.NONE: (0, 0), Edge.RISING: (1, 0), Edge.FALLING: (0, 1), Edge.BOTH: (1, 1)}


@dataclass(frozen=True, kw_only=True)
class ChannelSettings:
    """How a channel turns edges into events, as it is set on the board.

    Attributes
    ----------
    enabled : bool
        Whether it records; while not it does not even count.
    edge : Edge or None
        Edges that count. This and all below is None for SYNC, whose events are sync words.
    delay_ps : float or None
        Added to every time, in steps of 0.390625 ps.
    dead_time_ps : float or None
        Time after an edge in which others are left out, in steps of 0.390625 ps.
    divider : int or None
        Edges for one event.
    rate_limit_hz : float or None
        Edges a second above which the channel raises its alarm, in steps of 149 a second; 0 for no
        alarm.
    sampled_offset : int or None
        Slots of 1.6 ns by which the sampled input is behind the delay line.
    """

    enabled: bool
    edge: Edge | None = None
    delay_ps: float | None = None
    dead_time_ps: float | None = None
    divider: int | None = None
    rate_limit_hz: float | None = None
    sampled_offset: int | None = None


def _signed(value: int, bits: int) -> int:
    """Take a number in two's complement."""
    return value - (value >> bits - 1 << bits)


def channel_settings(board: Registers, channel: Channel) -> ChannelSettings:
    """Read the settings of a channel.

    Parameters
    ----------
    board : Registers
        The board, such as `keybeam.device.Receiver`.
    channel : Channel
        Which.
    """
    enabled = bool(board.read(_ENABLE) >> channel & 1)
    if channel not in TAGGED_CHANNELS:
        return ChannelSettings(enabled=enabled)

    def read(name: str) -> int:
        return board.read(channel_register(channel, name))

    edges = read("edges")
    bits = edges & 1, edges >> 1 & 1
    return ChannelSettings(
        enabled=enabled,
        edge=next(edge for edge, wanted in _EDGE_BITS.items() if wanted == bits),
        delay_ps=_signed(read("delay"), DELAY_BITS) * FINE_PS,
        dead_time_ps=read("dead_time") * FINE_PS,
        divider=max(1, read("divider")),
        rate_limit_hz=read("rate_limit") / RATE_WINDOW_S,
        sampled_offset=_signed(read("comparison"), OFFSET_BITS),
    )


def set_channel(
    board: Registers,
    channel: Channel,
    *,
    enabled: bool | None = None,
    edge: Edge | None = None,
    delay_ps: float | None = None,
    dead_time_ps: float | None = None,
    divider: int | None = None,
    rate_limit_hz: float | None = None,
    sampled_offset: int | None = None,
) -> None:
    """Change settings of a channel; nothing is written unless all of them are possible.

    A delay is changed while the channel is disabled, as its times would run backwards else; the
    channel is disabled for that moment, which no record marks.

    Parameters
    ----------
    board : Registers
        The board.
    channel : Channel
        Which.
    enabled, edge, delay_ps, dead_time_ps, divider, rate_limit_hz, sampled_offset
        As in `ChannelSettings`; what is None stays as it is. Times are rounded to the board's
        steps, a rate limit is rounded up.

    Raises
    ------
    ReceiverError
        If a value does not fit.
    """
    writes = _register_values(
        channel,
        edge=edge,
        delay_ps=delay_ps,
        dead_time_ps=dead_time_ps,
        divider=divider,
        rate_limit_hz=rate_limit_hz,
        sampled_offset=sampled_offset,
    )
    now = board.read(_ENABLE)
    bit = 1 << channel
    after = now if enabled is None else now | bit if enabled else now & ~bit
    if now & bit and (not after & bit or "delay" in writes):
        board.write(_ENABLE, now & ~bit)
    for name, value in writes.items():
        board.write(channel_register(channel, name), value)
    if after & bit:
        board.write(_ENABLE, after)


def _register_values(
    channel: Channel,
    *,
    edge: Edge | None,
    delay_ps: float | None,
    dead_time_ps: float | None,
    divider: int | None,
    rate_limit_hz: float | None,
    sampled_offset: int | None,
) -> dict[str, int]:
    """Check settings, and give the contents of the registers that they change."""
    values: dict[str, int] = {}
    if edge is not None:
        rising, falling = _EDGE_BITS[edge]
        values["edges"] = rising | falling << 1
    if delay_ps is not None:
        _insist("delay", delay_ps, -MOST_DELAY_PS, MOST_DELAY_PS, "ps")
        values["delay"] = round(delay_ps / FINE_PS) % (1 << DELAY_BITS)
    if dead_time_ps is not None:
        _insist("dead time", dead_time_ps, 0, MOST_DEAD_TIME_PS, "ps")
        values["dead_time"] = round(dead_time_ps / FINE_PS)
    if divider is not None:
        _insist("divider", divider, 1, (1 << DIVIDER_BITS) - 1)
        values["divider"] = divider
    if rate_limit_hz is not None:
        _insist("rate limit", rate_limit_hz, 0, FABRIC_CLOCK_HZ, "edges a second")
        values["rate_limit"] = -round(-rate_limit_hz * RATE_WINDOW_S // 1)
    if sampled_offset is not None:
        most = 1 << OFFSET_BITS - 1
        _insist("offset of the sampled input", sampled_offset, -most, most - 1, "slots")
        values["comparison"] = sampled_offset % (1 << OFFSET_BITS)
    if values and channel not in TAGGED_CHANNELS:
        raise ReceiverError(
            f"channel {channel.name} has no edges to set: "
            "its events are the downlink's sync words; it can only be enabled or disabled"
        )
    return values


def _insist(what: str, value: float, least: float, most: float, unit: str = "") -> None:
    if not least <= value <= most:
        bounds = f"{least:.10g} to {most:.10g} {unit}".rstrip()
        raise ReceiverError(f"the {what} is {bounds}, not {value:.10g}")
