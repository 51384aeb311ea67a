"""What a receiver does, read from its registers."""

from keybeam.output import Value
from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam.protocol.records import TAGGED_CHANNELS, Channel
from keybeam.receiver.registers import (
    RATE_WINDOW_S,
    Registers,
    channel_register,
    take_snapshot,
)

__all__ = ["SYNC_STATES", "channel_rates", "clear_flags", "receiver_status"]

SYNC_STATES = ("searching", "verifying", "locked")
"""States of the sync-word extractor, by their number."""


def _names(bits: int) -> str | None:
    """Names of the channels whose bits are set; None where there is none."""
    return ", ".join(channel.name for channel in Channel if bits >> channel & 1) or None


def receiver_status(board: Registers) -> dict[str, dict[str, Value]]:
    """Read what the receiver does.

    Parameters
    ----------
    board : Registers
        The board, such as `keybeam.device.Receiver`.

    Returns
    -------
    dict of dict
        By ``receiver``, ``downlink`` and ``since the last clear``: values by name. Counters are
        those of one moment, since the board's reset.
    """
    take_snapshot(board)
    detectors = board.read("tagger.shared.lines.detectors")
    return {
        "receiver": {
            "record stream": bool(board.read("receiver.control.stream")),
            "time since reset, s": board.read("receiver.time.cycle") * FABRIC_PERIOD_PS * 1e-12,
            "delay lines of a detector": detectors or "none: edges are sampled in bins of 1.6 ns",
            "channels enabled": _names(board.read("receiver.channels.enable")),
            "channels losing events now": _names(board.read("receiver.status.gap")),
            "channels on the pulser": _names(board.read("tagger.shared.pulser.channels")),
        },
        "downlink": {
            "signal": bool(board.read("receiver.status.signal")),
            "sync": SYNC_STATES[board.read("receiver.status.sync_state")],
            **{
                name: board.read(f"receiver.{register}.count")
                for name, register in {
                    "sync words seen": "syncs_seen",
                    "sync words missed": "syncs_flywheel",
                    "locks lost": "locks_lost",
                    "good frames": "frames_good",
                    "bad frames": "frames_bad",
                    "bad headers": "headers_bad",
                    "messages dropped": "messages_dropped",
                    "bit slips": "bit_slips",
                }.items()
            },
        },
        "since the last clear": _flags(
            board, board.read("receiver.events"), board.read("tagger.shared.alarms.rate")
        ),
    }


def _flags(board: Registers, events: int, alarms: int) -> dict[str, Value]:
    """Name the sticky flags of the register of events, and the alarms."""
    fields = {field.name: field for field in board.register_map.find("receiver.events")[0].fields}
    return {
        **{
            name.replace("_", " "): bool(fields[name].extract(events))
            for name in fields
            if name != "gap"
        },
        "channels that lost events": _names(fields["gap"].extract(events)),
        "rate alarms": _names(alarms),
    }


def channel_rates(board: Registers) -> dict[str, dict[str, Value]]:
    """Read rates and counters of all channels, as of one moment.

    Parameters
    ----------
    board : Registers
        The board.

    Returns
    -------
    dict of dict
        By channel. ``rate, /s`` is that of the edges in the last whole 6.7 ms, before dead time and
        divider; ``arrived`` = ``recorded`` + ``dropped`` + ``queued`` are events. ``unconfirmed``
        and ``missed`` count disagreements of delay line and sampled input.
    """
    take_snapshot(board)
    return {channel.name: _counters(board, channel) for channel in Channel}


def _counters(board: Registers, channel: Channel) -> dict[str, Value]:
    name = channel.name.lower()
    arrived, merged, dropped = (
        board.read(f"receiver.{count}_{name}.count") for count in ("arrived", "merged", "dropped")
    )
    row: dict[str, Value] = {
        "rate, /s": None,
        "edges": None,
        "dead": None,
        "divided": None,
        "gated out": None,
        "arrived": arrived,
        "recorded": merged,
        "dropped": dropped,
        "queued": arrived - merged - dropped,
        "unconfirmed": None,
        "missed": None,
    }
    if channel in TAGGED_CHANNELS:
        row["rate, /s"] = round(board.read(channel_register(channel, "rate.edges")) / RATE_WINDOW_S)
        for count in ("edges", "dead", "divided", "unconfirmed", "missed"):
            row[count] = board.read(channel_register(channel, f"{count}_count.count"))
        row["gated out"] = board.read(f"gate.{name}.rejected_count.count")
    return row


def clear_flags(board: Registers) -> dict[str, dict[str, Value]]:
    """Clear all sticky flags and alarms.

    Parameters
    ----------
    board : Registers
        The board.

    Returns
    -------
    dict of dict
        What stood in ``since the last clear`` of `receiver_status` before. An event between
        reading and clearing is not lost: only what was read is cleared.
    """
    events, alarms = board.read("receiver.events"), board.read("tagger.shared.alarms")
    board.write("receiver.events", events)
    board.write("tagger.shared.alarms", alarms)
    return {"cleared": _flags(board, events, alarms)}
