"""Histograms of phases that the board counts, of events that pass the gate or not."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOT_PS
from keybeam.protocol.records import COARSE_BITS, Channel
from keybeam.protocol.slot_phase import HISTOGRAM_BINS
from keybeam.receiver.errors import ReceiverError
from keybeam.receiver.gating import gate_register
from keybeam.receiver.registers import Registers, read_cycle

__all__ = ["BIN_PS", "PhaseCounts", "centre_of", "count_phases", "read_phases"]

BIN_PS = SLOT_PS / HISTOGRAM_BINS
"""Width of a bin in ps of the transmitter's clock."""

_MOST_POLLS = 1000

PhaseCounts = NDArray[np.int64]
"""Events by phase, from 0 to 1600 ps in the slot: shape (1024,)."""


def count_phases(
    board: Registers,
    channels: Sequence[Channel],
    seconds: float,
    tell: Callable[[float], None] = lambda _: None,
) -> None:
    """Set the histograms of channels to zero and let them count for a time of the board's clock.

    Parameters
    ----------
    board : Registers
        The board.
    channels : sequence of Channel
        Which.
    seconds : float
        How long.
    tell : callable
        Told the part of the time that is over.

    Raises
    ------
    ReceiverError
        If a channel has no histogram, or it stays busy.
    """
    registers = [gate_register(channel, "histogram") for channel in channels]
    for name in registers:
        board.write(f"{name}.run", 0)
        board.write(f"{name}_clear.start", 1)
    for name in registers:
        for _ in range(_MOST_POLLS):
            if not board.read(f"{name}_status.busy"):
                break
        else:
            raise ReceiverError(f"a histogram of the receiver at {board.name} stays busy")
        board.write(f"{name}.run", 1)
    begin, wanted = read_cycle(board), seconds * 1e12 / FABRIC_PERIOD_PS
    while (passed := (read_cycle(board) - begin) % (1 << COARSE_BITS)) < wanted:
        tell(passed / wanted)
    for name in registers:
        board.write(f"{name}.run", 0)
    tell(1.0)


def read_phases(
    board: Registers,
    channel: Channel,
    bins: range = range(HISTOGRAM_BINS),
    tell: Callable[[float], None] = lambda _: None,
) -> PhaseCounts:
    """Read the histogram of a channel; events may go on counting meanwhile.

    Parameters
    ----------
    board : Registers
        The board.
    channel : Channel
        Which.
    bins : range
        Bins to read; all others are given as 0.
    tell : callable
        Told the part that is read.
    """
    name = gate_register(channel, "histogram")
    counts = np.zeros(HISTOGRAM_BINS, np.int64)
    counts[bins] = board.scan(f"{name}_bin.bin", bins, f"{name}_count.count", tell)
    return counts


def centre_of(counts: PhaseCounts) -> float:
    """Find the phase around which events lie, as their circular mean, 0 to 1600 ps.

    An even background turns no mean (Mardia and Jupp, Directional Statistics, 2000, section 2.2).

    Parameters
    ----------
    counts : ndarray of int64, shape (1024,)
        Events by phase.

    Raises
    ------
    ReceiverError
        If there are no events.
    """
    if not counts.any():
        raise ReceiverError("the histogram is empty: does it count, and are there events?")
    turn = 2j * np.pi / HISTOGRAM_BINS
    mean = (counts * np.exp(turn * (np.arange(HISTOGRAM_BINS) + 0.5))).sum()
    return float(np.angle(mean) / (2 * np.pi) * SLOT_PS % SLOT_PS)
