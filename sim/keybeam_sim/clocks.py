"""The receiver's clock against the transmitter's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ReceiverClock"]


@dataclass(frozen=True)
class ReceiverClock:
    """A free-running clock; Doppler comes from the changing delay and not from here.

    Attributes
    ----------
    offset_s : float
        What it shows when the transmitter starts: at least the light time before, so that times do
        not begin below zero.
    rate : float
        Relative deviation of its rate (an ovenless crystal: a few 1e-6).
    drift_per_s : float
        Change of `rate` in a second.
    """

    offset_s: float = 1.0
    rate: float = 2.5e-6
    drift_per_s: float = 1e-10

    def show_ps(self, true_ps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give what the clock shows in picoseconds, so long after the transmitter's start."""
        seconds = true_ps * 1e-12
        slow = seconds * (self.rate + 0.5 * self.drift_per_s * seconds)
        return true_ps + (self.offset_s + slow) * 1e12
