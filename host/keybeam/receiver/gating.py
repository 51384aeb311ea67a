"""Gates of the channels, and the slot clock by which they tell the phase of an event."""

from dataclasses import dataclass
from enum import IntEnum

from keybeam.protocol.numbers import FINE_STEPS, SLOT_PS
from keybeam.protocol.records import COARSE_BITS, FINE_PS, TAGGED_CHANNELS, Channel
from keybeam.protocol.slot_phase import INCREMENT_BITS, MARKER_BITS, RAMP_BITS, SLOT_PHASE_BITS
from keybeam.receiver.errors import ReceiverError
from keybeam.receiver.registers import Registers, read_cycle, take_snapshot, write_whole
from keybeam.timing import ClockState, SlotClockSettings, slot_clock_settings

__all__ = [
    "GateMode",
    "GateSettings",
    "Marker",
    "follow_clock",
    "gate_register",
    "gate_settings",
    "marker_settings",
    "set_gate",
    "set_marker",
]

PHASE_PS = SLOT_PS / (1 << SLOT_PHASE_BITS)
"""Step of phases in ps."""

_LONGEST_MARKER_STEPS = (1 << MARKER_BITS - 1) - 1
_LEAD_READINGS = 20
"""Readings of the time that fit between the choice of a cycle and that cycle: more than enough to
write the slot clock's settings."""
_LEAST_LEAD_CYCLES = 1 << 16
_ATTEMPTS = 3


class GateMode(IntEnum):
    """What the gate of a channel lets pass."""

    OPEN = 0
    """Everything."""
    SLOT = 1
    """Events in a window of the slot."""
    MARKER = 2
    """Events in a window after the last marker."""
    SHUT = 3
    """Nothing."""


@dataclass(frozen=True)
class GateSettings:
    """Gate of a channel as it is set on the board.

    Attributes
    ----------
    mode : GateMode
        What passes.
    begin_ps, width_ps : float
        Window of the slot, in steps of 0.390625 ps of the transmitter's clock; it may go over the
        end of the slot.
    phase_ps : float
        Added to the phase of every event, 0 to 1600 ps.
    rejected : int
        Events left out since the board's reset.
    """

    mode: GateMode
    begin_ps: float
    width_ps: float
    phase_ps: float
    rejected: int


@dataclass(frozen=True)
class Marker:
    """The window after a marker, for all gates of mode MARKER.

    Attributes
    ----------
    channel : Channel
        Whose events are the markers; SYNC for the sync words.
    begin_ps, length_ps : float
        When the window begins after a marker, and how long it is, in steps of 0.390625 ps; together
        less than 838.8 µs.
    """

    channel: Channel
    begin_ps: float
    length_ps: float


def gate_register(channel: Channel, register: str) -> str:
    """Name of a register of a channel's gate.

    Raises
    ------
    ReceiverError
        If the channel has none.
    """
    if channel not in TAGGED_CHANNELS:
        raise ReceiverError(f"channel {channel.name} has no gate: its events are sync words")
    return f"gate.{channel.name.lower()}.{register}"


def gate_settings(board: Registers, channel: Channel) -> GateSettings:
    """Read the gate of a channel.

    Parameters
    ----------
    board : Registers
        The board.
    channel : Channel
        Which.
    """
    take_snapshot(board)

    def read(name: str) -> int:
        return board.read(gate_register(channel, name))

    return GateSettings(
        mode=GateMode(read("mode.mode")),
        begin_ps=read("window.begin") * PHASE_PS,
        width_ps=read("window.width") * PHASE_PS,
        phase_ps=read("phase.offset") * PHASE_PS,
        rejected=read("rejected_count.count"),
    )


def set_gate(
    board: Registers,
    channel: Channel,
    *,
    mode: GateMode | None = None,
    begin_ps: float | None = None,
    width_ps: float | None = None,
    phase_ps: float | None = None,
) -> None:
    """Change the gate of a channel; nothing is written unless all of it is possible.

    Parameters
    ----------
    board : Registers
        The board.
    channel : Channel
        Which.
    mode, begin_ps, width_ps, phase_ps
        As in `GateSettings`; what is None stays as it is. Begin and phase are taken modulo a slot.

    Raises
    ------
    ReceiverError
        If the window is wider than a slot, or the channel has no gate.
    """
    if width_ps is not None and not 0 <= width_ps <= SLOT_PS:
        raise ReceiverError(f"a window of the slot is 0 to {SLOT_PS} ps wide, not {width_ps:.10g}")
    modulus = 1 << SLOT_PHASE_BITS
    wanted = {
        "window.begin": None if begin_ps is None else round(begin_ps / PHASE_PS) % modulus,
        "window.width": None if width_ps is None else round(width_ps / PHASE_PS),
        "phase.offset": None if phase_ps is None else round(phase_ps / PHASE_PS) % modulus,
        "mode.mode": mode,
    }
    writes = {gate_register(channel, name): value for name, value in wanted.items()}
    for name, value in writes.items():
        if value is not None:
            board.write(name, value)


def marker_settings(board: Registers) -> Marker:
    """Read the window after a marker."""
    return Marker(
        channel=Channel(board.read("gate.shared.marker.channel")),
        begin_ps=board.read("gate.shared.marker_begin.steps") * FINE_PS,
        length_ps=board.read("gate.shared.marker_length.steps") * FINE_PS,
    )


def set_marker(board: Registers, marker: Marker) -> None:
    """Set the window after a marker.

    Parameters
    ----------
    board : Registers
        The board.
    marker : Marker
        The window.

    Raises
    ------
    ReceiverError
        If it would end too long after the marker.
    """
    begin, length = (round(ps / FINE_PS) for ps in (marker.begin_ps, marker.length_ps))
    if begin < 0 or length < 0 or begin + length > _LONGEST_MARKER_STEPS:
        most = _LONGEST_MARKER_STEPS * FINE_PS
        raise ReceiverError(
            f"the window after a marker ends 0 to {most:.10g} ps after it, "
            f"not {marker.begin_ps + marker.length_ps:.10g}"
        )
    board.write("gate.shared.marker.channel", marker.channel)
    board.write("gate.shared.marker_begin.steps", begin)
    board.write("gate.shared.marker_length.steps", length)


def follow_clock(board: Registers, state: ClockState, time: int) -> SlotClockSettings:
    """Let the slot clock run with the transmitter's clock.

    Parameters
    ----------
    board : Registers
        The board.
    state : ClockState
        The transmitter's clock.
    time : int
        Unwrapped time in fine steps, less than two hours ago, such as a lower bound of the stream
        that `state` is of.

    Returns
    -------
    SlotClockSettings
        What was set.

    Raises
    ------
    ReceiverError
        If the clock cannot be followed, or the board takes too long to be set.
    """
    for attempt in range(_ATTEMPTS):
        first, now = read_cycle(board), read_cycle(board)
        reading = (now - first) % (1 << COARSE_BITS)
        lead = max(_LEAST_LEAD_CYCLES, _LEAD_READINGS * reading) << attempt
        known = time // FINE_STEPS
        at = known + (now - known) % (1 << COARSE_BITS) + lead
        try:
            settings = slot_clock_settings(state, at)
        except ValueError as error:
            # A drift that is smaller than its own error says nothing of the clock.
            deviation = state.drift_error
            advice = (
                "is the transmitter's clock right?"
                if abs(state.drift) > 3 * deviation
                else f"with an error of {deviation:.2g} it is not known, so take a longer window"
            )
            raise ReceiverError(f"{error}: {advice}") from error
        _write_clock(board, settings)
        while (settings.at - read_cycle(board)) % (1 << COARSE_BITS) <= lead:
            pass
        if not board.read("gate.shared.slot_status.armed"):
            return settings
    raise ReceiverError(
        f"the receiver at {board.name} could not be told in time when its slot clock starts: "
        "the link to it is too slow"
    )


def _write_clock(board: Registers, settings: SlotClockSettings) -> None:
    board.write("gate.shared.slot_at.cycle", settings.at)
    board.write("gate.shared.slot_offset.offset", settings.offset)
    increment, ramp = settings.increment, settings.ramp
    board.write("gate.shared.slot_increment.increment", increment % (1 << INCREMENT_BITS))
    board.write("gate.shared.slot_ramp.ramp", ramp % (1 << RAMP_BITS))
    write_whole(board, "gate.shared.slot_arm", start=1)
