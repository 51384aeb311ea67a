"""Calibration of the delay lines on the board: count codes, load tables, follow drift."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from keybeam.device import DeviceError
from keybeam.protocol.records import COARSE_BITS, DETECTOR_CHANNELS, TAGGED_CHANNELS, Channel
from keybeam.protocol.tagger import HISTOGRAM_PAUSE, RATE_WINDOW_BITS
from keybeam.receiver.calibration_file import Calibration, ChannelCounts
from keybeam.receiver.channels import Edge
from keybeam.receiver.errors import ReceiverError
from keybeam.receiver.progress import Tell
from keybeam.receiver.registers import (
    Registers,
    channel_register,
    content_of,
    read_cycle,
    write_whole,
)

__all__ = [
    "calibrate_channel",
    "lines_of",
    "load_tables",
    "new_calibration",
    "ring_pulses",
]

_SILENT_CODES = 64
"""Codes in a row without a count behind which there are no more: they are 1.7 ns, in which edges
that are independent of the clock cannot stay away."""

_EDGES = {Edge.RISING: 1, Edge.FALLING: 2}
"""Content of the register of a channel's edges, for one direction."""

_HALVES = {Edge.RISING: 0, Edge.FALLING: 1}
"""Half of the histogram in which a direction is counted."""

_WINDOWS = 2
"""Windows of the ring's counter after which one of them lay wholly in the running of the ring."""

_MOST_POLLS = 1000
"""Times that a busy histogram is asked; it is done within some thousand cycles."""


def lines_of(board: Registers, channel: Channel) -> int:
    """Delay lines of a channel.

    Parameters
    ----------
    board : Registers
        The board.
    channel : Channel
        Which.

    Raises
    ------
    ReceiverError
        If it has none.
    """
    kind = "detectors" if channel in DETECTOR_CHANNELS else "others"
    lines = board.read(f"tagger.shared.lines.{kind}") if channel in TAGGED_CHANNELS else 0
    if not lines:
        raise ReceiverError(
            f"channel {channel.name} of the receiver at {board.name} has no delay line to "
            "calibrate: it was built with sampled inputs"
        )
    return lines


def new_calibration(board: Registers, channels: dict[str, ChannelCounts]) -> Calibration:
    """Put counts of channels together with what is known of the board.

    Parameters
    ----------
    board : Registers
        The board that they were counted on.
    channels : dict of str to ChannelCounts
        By the channels' names.
    """
    return Calibration(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source=board.name,
        gateware=f"{board.read('identity.revision'):08x}",
        channels=channels,
    )


@contextmanager
def _pulsed(board: Registers, channel: Channel) -> Iterator[None]:
    """Let a channel see the ring's pulses and record nothing; afterwards all is as before."""
    enabled, pulser = board.read("receiver.channels.enable"), board.read("tagger.shared.pulser")
    edges_register = channel_register(channel, "edges")
    edges = board.read(edges_register)
    try:
        board.write("receiver.channels.enable", enabled & ~(1 << channel))
        board.write("tagger.shared.pulser.channels", 1 << channel)
        board.write("tagger.shared.pulser.run", 1)
        yield
    finally:
        # The reason why the block ended matters more than a board that is gone.
        with suppress(DeviceError):
            board.write("tagger.shared.histogram.run", 0)
            board.write("tagger.shared.pulser", pulser)
            board.write(edges_register, edges)
            board.write("receiver.channels.enable", enabled)


def _wait(board: Registers, begin: int, cycles: int, tell: Callable[[float], None]) -> None:
    """Wait for so many cycles of the board's clock to pass since `begin`."""
    while (passed := (read_cycle(board) - begin) % (1 << COARSE_BITS)) < cycles:
        tell(passed / cycles)
    tell(1.0)


def _await_histogram(board: Registers) -> None:
    """Wait until the histogram is done with what it was told."""
    for _ in range(_MOST_POLLS):
        if not board.read("tagger.shared.histogram_status.busy"):
            return
    raise ReceiverError(f"the code histogram of the receiver at {board.name} stays busy")


def ring_pulses(board: Registers, tell: Callable[[float], None] = lambda _: None) -> int:
    """Count the pulses of the ring oscillator in 2^20 cycles of the clock.

    The ring is left as it was; the channels keep on seeing their inputs.

    Parameters
    ----------
    board : Registers
        The board.
    tell : callable
        Told the part of the time that is over.

    Raises
    ------
    ReceiverError
        If there are none.
    """
    running = board.read("tagger.shared.pulser.run")
    if not running:
        board.write("tagger.shared.pulser.run", 1)
    try:
        _wait(board, read_cycle(board), _WINDOWS << RATE_WINDOW_BITS, tell)
        pulses = board.read("tagger.shared.pulser_rate.pulses")
    finally:
        if not running:
            with suppress(DeviceError):
                board.write("tagger.shared.pulser.run", 0)
    if not pulses:
        raise ReceiverError(f"the ring oscillator of the receiver at {board.name} does not run")
    return pulses


def _cycles_for(counts: int, pulses: int) -> int:
    """Cycles in which so many edges of one direction count, at `pulses` in 2^20 cycles.

    Pulses that come within the histogram's pause after one that counted do not count.
    """
    period = (1 << RATE_WINDOW_BITS) / pulses
    return math.ceil(counts * period * math.ceil((HISTOGRAM_PAUSE + 1) / period))


def _count(board: Registers, cycles: int, tell: Callable[[float], None]) -> None:
    """Let the histogram count for so many cycles."""
    board.write("tagger.shared.histogram.run", 1)
    _wait(board, read_cycle(board), cycles, tell)
    board.write("tagger.shared.histogram.run", 0)
    _await_histogram(board)


def _read_counts(board: Registers, codes: int, falling: int) -> NDArray[np.int64]:
    """Read counts of the codes from 0 on, for one direction of edges."""
    counts = np.zeros(codes, np.int64)
    for begin in range(0, codes, _SILENT_CODES):
        part = range(begin, min(begin + _SILENT_CODES, codes))
        # Choosing a code undoes that every reading moves the board on by one.
        choices = [
            content_of(board, "tagger.shared.histogram_code", code=code, falling=falling)
            for code in part
        ]
        counts[part] = board.scan(
            "tagger.shared.histogram_code", choices, "tagger.shared.histogram_count.count"
        )
        if counts.any() and not counts[part].any():
            break
    return counts


def calibrate_channel(
    board: Registers,
    channel: Channel,
    *,
    counts: int,
    pulses: int,
    edge: Edge = Edge.BOTH,
    report_progress: Tell = lambda _what, _part: None,
) -> ChannelCounts:
    """Count the codes of a channel while the ring oscillator pulses it.

    The channel records nothing meanwhile; its settings are then as before.

    Parameters
    ----------
    board : Registers
        The board.
    channel : Channel
        Which.
    counts : int
        Edges to count, of each direction.
    pulses : int
        Pulses of the ring in 2^20 cycles, of `ring_pulses`.
    edge : Edge
        Directions of edges to calibrate.
    report_progress : callable
        Told what is going on.

    Raises
    ------
    ReceiverError
        If the channel has no delay line.
    """
    chains, taps = lines_of(board, channel), board.read("tagger.shared.lines.taps")
    codes = chains * taps + 1
    found: dict[Edge, list[int] | None] = {Edge.RISING: None, Edge.FALLING: None}
    chosen = [direction for direction in found if edge in (direction, Edge.BOTH)]
    with _pulsed(board, channel):
        write_whole(board, "tagger.shared.histogram", channel=channel, run=0)
        board.write("tagger.shared.histogram_clear.start", 1)
        _await_histogram(board)
        for number, direction in enumerate(chosen):

            def tell(part: float, done: int = number) -> None:
                report_progress(f"counting {channel.name}", (done + part) / len(chosen))

            board.write(channel_register(channel, "edges"), _EDGES[direction])
            _count(board, _cycles_for(counts, pulses), tell)
        report_progress(f"reading {channel.name}", 0.0)
        for direction in chosen:
            found[direction] = _read_counts(board, codes, _HALVES[direction]).tolist()
        report_progress(f"reading {channel.name}", 1.0)
    return ChannelCounts(
        chains=chains,
        taps=taps,
        pulses=pulses,
        rising=found[Edge.RISING],
        falling=found[Edge.FALLING],
    )


def load_tables(
    board: Registers,
    calibration: Calibration,
    *,
    pulses: int | None = None,
    report_progress: Tell = lambda _what, _part: None,
) -> None:
    """Load the calibration tables of channels, which go on meanwhile.

    Parameters
    ----------
    board : Registers
        The board.
    calibration : Calibration
        Counts of the channels.
    pulses : int or None
        Pulses of the ring in 2^20 cycles now, of `ring_pulses`: the tables then follow the change
        of all delays since they were counted.
    report_progress : callable
        Told what is going on.

    Raises
    ------
    ReceiverError
        If a channel has other delay lines than those that were calibrated.
    CalibrationError
        If a table cannot follow.
    """
    loads = []
    taps = board.read("tagger.shared.lines.taps")
    for name, counts in calibration.channels.items():
        chains = lines_of(board, Channel[name])
        if (chains, taps) != (counts.chains, counts.taps):
            raise ReceiverError(
                f"channel {name} of the receiver at {board.name} has {chains} line(s) of {taps} "
                f"taps, the calibration is of {counts.chains} of {counts.taps}"
            )
        ratio = 1.0 if pulses is None else counts.pulses / pulses
        for half, edge in enumerate(("rising", "falling")):
            if table := counts.tables().get(edge):
                loads.append((Channel[name], half, table.scaled(ratio).leads().tolist()))
    # All of them could be made before the first is written.
    for channel, falling, leads in loads:
        register = channel_register(channel, "table")
        entries = [
            content_of(board, register, lead=lead, code=code, falling=falling)
            for code, lead in enumerate(leads)
        ]
        board.write_all(register, entries, partial(report_progress, f"loading {channel.name}"))
