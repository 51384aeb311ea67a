"""What a transmitter does, read from its registers."""

from typing import Protocol

from keybeam.output import Value
from keybeam.protocol.lanes import LANES
from keybeam.protocol.modes import InjectedFault, PatternMode, RandomOrigin, StartCondition

__all__ = [
    "ALARMS",
    "SOURCES",
    "Readable",
    "lane_settings",
    "source_status",
    "transmitter_status",
]

_CHIP_STATES = ("held", "start-up test", "released", "hard stop")
ALARMS = (
    "repetition_lanes",
    "repetition_pairs",
    "repetition_symbols",
    "repetition_groups",
    "repetition_words",
    "proportion_lanes",
    "proportion_symbols",
)
"""Health tests of a source, as the registers name them."""

SOURCES = ("a", "b", "ring")
"""Sources of raw random bits: two chips and the ring oscillators."""

_LANE_FIELDS = ("delay", "invert", "enable", "idle")


class Readable(Protocol):
    """A board whose registers can be read, and snapshots taken."""

    def read(self, name: str) -> int:
        """Content of a register or field."""

    def write(self, name: str, value: int) -> None:
        """Write a register or field."""


def _take_snapshots(board: Readable, *blocks: str) -> None:
    for block in blocks:
        board.write(f"{block}.snapshot.take", 1)


def _word(name: str) -> str:
    """Name of a constant as one reads it."""
    return name.lower().replace("_", " ")


def _injected(board: Readable, source: str) -> Value:
    """Fault in the bits of a source, if any."""
    fault = board.read(f"random.injection_{source}.fault")
    if fault == InjectedFault.NONE:
        return None
    return _word(InjectedFault(fault).name) if fault in set(InjectedFault) else f"number {fault}"


def _raised(board: Readable, flag: str, first: str) -> Value:
    """Pulse index of the first event of a sticky flag; None while the flag is not set."""
    return board.read(first) if board.read(flag) else None


def transmitter_status(board: Readable) -> dict[str, dict[str, Value]]:
    """Read what the transmitter does.

    Parameters
    ----------
    board : Readable
        The board, such as `keybeam.device.Transmitter`.

    Returns
    -------
    dict of dict
        By ``pattern``, ``random bits``, ``state log``, ``downlink`` and ``uplink``: values by
        name. A name that begins with *first* gives the pulse index of the first such event since
        the flag was cleared, or None.
    """
    _take_snapshots(board, "transmitter", "pattern", "log", "uplink")
    running = board.read("transmitter.status.running")
    return {
        "pattern": {
            "running": bool(running),
            "finished": bool(board.read("transmitter.status.finished")),
            "halted": bool(board.read("transmitter.control.halt")),
            "waits for": _word(StartCondition(board.read("pattern.start.condition")).name)
            if board.read("pattern.status.armed")
            else None,
            "frame": board.read("transmitter.frame.counter"),
            "first pulse index": board.read("transmitter.first_pulse_index.index"),
            "mode": _word(PatternMode(board.read("pattern.status.mode")).name),
            "slots from pulse to pulse": 1 << min(board.read("pattern.spacing.log2_slots"), 4),
            "fit for key": not board.read("pattern.status.not_key"),
            "blanked pulses": board.read("pattern.underflow.slots"),
            "first blanked": _raised(
                board, "pattern.flags.underflow", "pattern.first_underflow.index"
            ),
            "first unfit": _raised(board, "pattern.flags.unfit", "pattern.first_unfit.index"),
            "first fault": _raised(board, "pattern.flags.fault", "pattern.first_fault.index"),
        },
        "random bits": {
            "origin": _word(RandomOrigin(board.read("random.status.origin")).name),
            "live": bool(board.read("random.status.live")),
            "alarm": bool(board.read("random.status.alarm")),
        },
        "state log": _log(board),
        "downlink": {
            "sync word": f"{board.read('transmitter.sync_word.word'):#018x}",
            "payload bytes waiting": board.read("transmitter.payload.level"),
        },
        "uplink": {
            "signal": bool(board.read("uplink.status.signal")),
            "sync": ("searching", "verifying", "locked")[board.read("uplink.status.sync_state")],
            "good frames": board.read("uplink.frames_good.count"),
            "bad frames": board.read("uplink.frames_bad.count"),
        },
    }


def _log(board: Readable) -> dict[str, Value]:
    held = bool(board.read("log.status.held"))
    return {
        "memory": ("block RAM", "DDR3")[board.read("log.status.backend")],
        "works": bool(board.read("log.status.passed")) and not board.read("log.status.failed"),
        "frames": board.read("log.size.frames"),
        "oldest pulse index": board.read("log.oldest.index") if held else None,
        "newest pulse index": board.read("log.newest.index") if held else None,
        "lost pulses": board.read("log.lost.slots"),
        "first lost": _raised(board, "log.flags.lost", "log.first_lost.index"),
        "look-ups answered": board.read("log.answered.indices"),
    }


def source_status(board: Readable) -> dict[str, dict[str, Value]]:
    """Read what the source of random bits does.

    Parameters
    ----------
    board : Readable
        The board.

    Returns
    -------
    dict of dict
        ``source`` with origin, levels and counters, then ``chip a``, ``chip b`` and ``ring``
        with state, injected fault, alarms (the bits of the register) and cut-offs.
    """
    _take_snapshots(board, "random")
    used = board.read("random.origins_used.origins")
    content: dict[str, dict[str, Value]] = {
        "source": {
            "origin": _word(RandomOrigin(board.read("random.status.origin")).name),
            "live": bool(board.read("random.status.live")),
            "alarm": bool(board.read("random.status.alarm")),
            "origins since reset": ", ".join(
                _word(origin.name) for origin in RandomOrigin if used >> origin & 1
            ),
            "words waiting": board.read("random.level.level"),
            "fewest": board.read("random.level.low"),
            "most": board.read("random.level.high"),
            "words taken": board.read("random.taken.count"),
            "words dropped": board.read("random.dropped.count"),
            "words without partner": board.read("random.unpaired.count"),
            "first overflow": _raised(
                board, "random.flags.overflow", "random.first_overflow.pulse_index"
            ),
        }
    }
    for name in SOURCES:
        title = name if name == "ring" else f"chip {name}"
        content[title] = _checked(board, name)
    return content


def _checked(board: Readable, name: str) -> dict[str, Value]:
    """State of one source of raw bits."""
    alarms: dict[str, Value] = {
        f"alarm {_word(alarm)}": board.read(f"random.alarms_{name}.{alarm}") for alarm in ALARMS
    }
    cutoffs: dict[str, Value] = {
        f"cut-off {_word(cutoff)}": board.read(f"random.cutoffs_{name}.{cutoff}")
        for cutoff in (
            "repetition_bits",
            "repetition_symbols",
            "repetition_groups",
            "repetition_words",
            "proportion_bits",
            "proportion_symbols",
        )
    }
    first = board.read(f"random.first_alarm_{name}.pulse_index")
    return {
        "state": _CHIP_STATES[board.read(f"random.status.state_{name}")],
        "injected fault": _injected(board, name),
        "first alarm": first if any(alarms.values()) else None,
        **alarms,
        **cutoffs,
    }


def lane_settings(board: Readable) -> dict[str, dict[str, Value]]:
    """Read the settings of all lanes.

    Parameters
    ----------
    board : Readable
        The board.

    Returns
    -------
    dict of dict
        By lane, ``0`` to ``7`` and ``serial``: delay in slots, inversion, enable, idle level, and
        the fine delay in steps of the I/O cell (None for the serial lane).
    """
    lanes: dict[str, dict[str, Value]] = {}
    for lane in [*map(str, range(LANES)), "serial"]:
        register = "pattern.serial_lane" if lane == "serial" else f"pattern.lane_{lane}"
        lanes[lane] = {field: board.read(f"{register}.{field}") for field in _LANE_FIELDS}
        lanes[lane]["fine_delay"] = (
            None if lane == "serial" else board.read(f"{register}.fine_delay")
        )
    return lanes
