"""What the receiver's gateware makes of edges at its inputs."""

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam.protocol.records import (
    FINE_PS,
    FINE_STEPS,
    FRAME_COUNTER_BITS,
    FRAME_VALID,
    SAMPLED_FINE_STEP,
    SYNC_FLYWHEEL,
    TIME_MODULO,
    Channel,
    RecordType,
    pack_records,
)

__all__ = ["EPOCH_CYCLES", "FINE_BIN_STEPS", "ReceiverModel"]

FINE_BIN_STEPS = 64
"""Fine steps of a 25 ps bin, about that of a carry-chain converter in an ECP5 (20 to 66 ps)."""

EPOCH_CYCLES = 1 << 20
"""Cycles between EPOCH records after reset, 6.7 ms."""


class ReceiverModel:
    """Records of edges, as the gateware gives them.

    A time is the start of its bin, counted from the first sample after reset. Records leave in the
    order of these times; equal times in the order H, V, D, A, SYNC, PPS, EPOCH; FRAME directly
    follows its SYNC. An EPOCH stands at every whole multiple of the period, from 0 on.

    Parameters
    ----------
    bin_steps : int
        Width of the bins in fine steps; `SAMPLED_FINE_STEP` is that of the sampled inputs.
    epoch_cycles : int
        Fabric clock cycles between EPOCH records.
    """

    def __init__(
        self, *, bin_steps: int = SAMPLED_FINE_STEP, epoch_cycles: int = EPOCH_CYCLES
    ) -> None:
        self._bin_steps = bin_steps
        self._epoch_steps = epoch_cycles * FINE_STEPS
        self._next_epoch = 0

    def set_epoch(self, cycles: int) -> None:
        """Set the period of EPOCH records after the one that comes next, in cycles."""
        self._epoch_steps = cycles * FINE_STEPS

    def skip(self, until_ps: float) -> None:
        """Throw away what comes before a time of whole cycles, as with the stream off."""
        elapsed = round(until_ps / FABRIC_PERIOD_PS) * FINE_STEPS - self._next_epoch
        self._next_epoch += max(0, -(-elapsed // self._epoch_steps)) * self._epoch_steps

    def records(
        self,
        times_ps: NDArray[np.float64],
        channels: NDArray[np.uint8],
        syncs: NDArray[np.void],
        until_ps: float,
    ) -> NDArray[np.uint64]:
        """Make the records of the next edges.

        Parameters
        ----------
        times_ps : ndarray of float64, shape (n,)
            Rising edges of the detectors and of the pulse-per-second input, by the receiver's
            clock; none earlier than the last `until_ps`.
        channels : ndarray of uint8, shape (n,)
            Their `Channel`.
        syncs : ndarray of SYNC_EDGE_DTYPE
            First edges of sync words, likewise.
        until_ps : float
            All edges before this time have been given: a whole number of cycles. EPOCH records
            come up to here.

        Returns
        -------
        ndarray of uint64
            Records.
        """
        steps, sync_steps = self._bins(times_ps), self._bins(syncs["time_ps"])
        end = int(until_ps / FABRIC_PERIOD_PS) * FINE_STEPS
        epochs = np.arange(self._next_epoch, end, self._epoch_steps)
        if epochs.size:
            self._next_epoch = int(epochs[-1]) + self._epoch_steps

        types = np.where(channels == Channel.PPS, RecordType.PPS, RecordType.TAG)
        sync_flags = np.where(syncs["flywheel"], SYNC_FLYWHEEL, 0)
        frame_flags = np.where(syncs["valid"], FRAME_VALID, 0)
        frames = syncs["flags"].astype(np.uint64) << np.uint64(FRAME_COUNTER_BITS)
        records = np.concatenate(
            [
                pack_records(types, channels, steps % TIME_MODULO),
                pack_records(RecordType.SYNC, sync_flags, sync_steps % TIME_MODULO),
                pack_records(RecordType.FRAME, frame_flags, frames | syncs["counter"]),
                pack_records(RecordType.EPOCH, 0, epochs % TIME_MODULO),
            ]
        )
        # Places among records of equal time: channels by number, FRAME behind SYNC, EPOCH last.
        place = np.concatenate(
            [
                2 * channels.astype(np.int64),
                np.full(syncs.size, 2 * Channel.SYNC),
                np.full(syncs.size, 2 * Channel.SYNC + 1),
                np.full(epochs.size, 2 * len(Channel)),
            ]
        )
        time = np.concatenate([steps, sync_steps, sync_steps, epochs])
        return records[np.lexsort((place, time))]

    def _bins(self, times_ps: NDArray[np.float64]) -> NDArray[np.int64]:
        """Bin some times; the starts of the bins in fine steps."""
        width = self._bin_steps * FINE_PS
        return np.floor(times_ps / width).astype(np.int64) * self._bin_steps
