"""The course of a simulated pass: time that advances as records are taken, symbols read back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FABRIC_PERIOD_PS, FRAME_RATE_HZ, FRAME_SLOTS
from keybeam_sim.photons import BLOCK_FRAMES, ClickGenerator
from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin.receiver_model import EPOCH_CYCLES, FINE_BIN_STEPS, ReceiverModel

__all__ = ["PassSimulation", "TwinSettings"]


@dataclass(frozen=True)
class TwinSettings:
    """What the simulated boards are like.

    Attributes
    ----------
    bin_steps : int
        Width of the receiver's time bins in fine steps.
    epoch_cycles : int
        Fabric clock cycles between EPOCH records.
    log_frames : int
        Depth of the state log in frames. The default of 13.7 s lets look-ups be several seconds
        late.
    tail_frames : int
        Frames without RUNNING that follow the last one with it, before time stops.
    """

    bin_steps: int = FINE_BIN_STEPS
    epoch_cycles: int = EPOCH_CYCLES
    log_frames: int = 1 << 17
    tail_frames: int = 1024


class PassSimulation:
    """A pass from the start of the transmitter's pattern to its end.

    Time advances only by `advance`. What the records are depends on scenario and settings and on
    the first frame, on nothing else.

    Parameters
    ----------
    scenario : PassScenario
        The pass.
    settings : TwinSettings
        The boards.

    Attributes
    ----------
    receiver : ReceiverModel
        What makes the records.
    clicks : int
        Clicks of the detectors so far.
    """

    def __init__(self, scenario: PassScenario, settings: TwinSettings) -> None:
        self.scenario, self.settings = scenario, settings
        self.clicks = 0
        self._generator: ClickGenerator | None = None
        self.receiver = ReceiverModel(
            bin_steps=settings.bin_steps, epoch_cycles=settings.epoch_cycles
        )
        self._length = round(scenario.duration_s * float(FRAME_RATE_HZ))
        self._cycle = 0

    def start(self, first_frame: int = 0, stop_after: int = 0) -> None:
        """Start the pattern.

        Parameters
        ----------
        first_frame : int
            Counter of the first frame.
        stop_after : int
            Frames after which the pattern stops; 0 for the length of the pass, which is also the
            most.
        """
        if self._generator is None:
            self._generator = ClickGenerator(self.scenario, first_frame)
            self._length = min(stop_after or self._length, self._length)
            self.receiver.skip(self._generator.until_ps)

    def stop(self) -> None:
        """Stop the pattern at the end of the frames that were drawn so far."""
        self._length = min(self._length, self.frames)

    @property
    def frames(self) -> int:
        """Frames whose records have been made."""
        return 0 if self._generator is None else self._generator.frames

    @property
    def started(self) -> bool:
        """Whether the pattern has been started."""
        return self._generator is not None

    @property
    def finished(self) -> bool:
        """Whether the pattern has stopped."""
        return self.started and self.frames >= self._length

    @property
    def over(self) -> bool:
        """Whether nothing comes any more."""
        return self.finished and self.frames >= self._length + self.settings.tail_frames

    @property
    def first_frame(self) -> int:
        """Counter of the first frame."""
        return 0 if self._generator is None else self._generator.first_frame

    @property
    def sending_frame(self) -> int:
        """Counter of the frame that is being sent, a light time ahead of the records."""
        if self._generator is None:
            return 0
        return self.first_frame + self.frames + self._generator.delay_frames()

    @property
    def cycle(self) -> int:
        """Fabric clock cycles of the receiver since its reset."""
        return self._cycle

    def advance(self) -> NDArray[np.uint64]:
        """Let time go on by up to 54 ms and give the receiver's records of it.

        Returns
        -------
        ndarray of uint64
            Records; none before the start and after the end.
        """
        if self._generator is None or self.over:
            return np.empty(0, np.uint64)
        running = not self.finished
        end = self._length if running else self._length + self.settings.tail_frames
        arrivals = self._generator.advance(
            min(BLOCK_FRAMES, end - self.frames),
            FrameFlag.RUNNING if running else FrameFlag(0),
        )
        self.clicks += arrivals.times_ps.size
        self._cycle = int(arrivals.until_ps / FABRIC_PERIOD_PS)
        return self.receiver.records(
            arrivals.times_ps, arrivals.channels, arrivals.syncs, arrivals.until_ps
        )

    def lookup(self, indices: NDArray[np.uint64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Answers of the transmitter's state log.

        Parameters
        ----------
        indices : ndarray of uint64
            Pulse indices.

        Returns
        -------
        status, symbols : ndarray of uint8
            `LookupStatus`, and the symbol where it is FOUND (else 0).
        """
        frames = (indices // np.uint64(FRAME_SLOTS)).astype(np.int64)
        sending = min(self.sending_frame, self.first_frame + self._length)
        oldest = max(self.first_frame, self.sending_frame - self.settings.log_frames)
        status = np.full(indices.size, int(LookupStatus.FOUND), np.uint8)
        status[frames < oldest] = LookupStatus.TOO_OLD
        status[frames >= sending] = LookupStatus.TOO_NEW
        if self._generator is None:
            return status, np.zeros(indices.size, np.uint8)
        symbols = self._generator.symbols.symbols(indices)
        return status, np.where(status == LookupStatus.FOUND, symbols, 0).astype(np.uint8)
