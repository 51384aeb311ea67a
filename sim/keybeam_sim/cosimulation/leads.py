"""Loop-back leads: the transmitter's lanes, brought to inputs of the receiver's time-tagger.

A lead carries the level of its lane, later by what the lane's output, its delay cell and the lead
take, and with some jitter. Leads that end at one input are joined by a power combiner, so that the
input sees whichever is high.
"""

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.lanes import FINE_DELAY_STEP_PS, FINE_DELAY_STEPS
from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOTS_PER_CYCLE
from keybeam.protocol.records import AUXILIARY_CHANNELS
from keybeam_gateware.transmitter import LANES_LAYOUT
from keybeam_sim.cosimulation.blocks import AUXILIARY_SHIFTS
from keybeam_sim.cosimulation.edge_places import EdgePlaces
from keybeam_sim.cosimulation.settings import LEAD_DELAY_PS, LeadSettings

__all__ = ["Leads"]

_FS_PER_PS = 1000
_SLOT_FS = FABRIC_PERIOD_PS * _FS_PER_PS // SLOTS_PER_CYCLE


class Leads:
    """The leads of all lanes of a transmitter.

    Parameters
    ----------
    settings : LeadSettings
        Delays, jitter and mistakes.
    seed : int
        Seed of the jitter.
    """

    def __init__(self, settings: LeadSettings, seed: int) -> None:
        self._settings = settings
        self._generator = np.random.default_rng([seed, 1])
        lanes = len(settings.skews_ps)
        self._last = np.zeros(lanes, np.uint8)
        self._levels = np.zeros(lanes, np.uint8)
        self._changes = [np.empty(0, np.int64) for _ in range(lanes)]
        self._fine_ps = np.zeros(lanes, np.int64)

    def set_fine_delays(self, register: int) -> None:
        """Set the delay cells to what stands at the transmitter's output `fine_delay`."""
        for lane in range(self._fine_ps.size):
            steps = register // FINE_DELAY_STEPS**lane % FINE_DELAY_STEPS
            self._fine_ps[lane] = steps * FINE_DELAY_STEP_PS

    def transmit(self, words: NDArray[np.uint32], first_cycle: int) -> None:
        """Take the lanes of the next cycles, of which `first_cycle` is the first."""
        slots = np.arange(SLOTS_PER_CYCLE, dtype=np.uint32)
        for lane in range(self._last.size):
            if lane == self._settings.dead_lane:
                continue
            place = np.uint32(LANES_LAYOUT[f"lane_{lane}"].offset)
            levels = (words[:, None] >> (slots + place) & 1).astype(np.uint8).ravel()
            changed = np.flatnonzero(levels != np.concatenate([self._last[[lane]], levels[:-1]]))
            self._last[lane] = levels[-1]
            if changed.size:
                self._add(lane, first_cycle * SLOTS_PER_CYCLE + changed)

    def _add(self, lane: int, slots: NDArray[np.int64]) -> None:
        delay_ps = LEAD_DELAY_PS + self._settings.skews_ps[lane] + int(self._fine_ps[lane])
        times = slots * _SLOT_FS + delay_ps * _FS_PER_PS
        jitter_fs = self._settings.jitter_ps * _FS_PER_PS
        times += np.rint(self._generator.normal(0, jitter_fs, times.size)).astype(np.int64)
        # While a delay cell moves, edges may come close to each other but not overtake.
        joined = np.concatenate([self._changes[lane], times])
        self._changes[lane] = np.maximum.accumulate(joined)

    def receive(
        self, times: NDArray[np.int64], places: EdgePlaces | None = None
    ) -> list[tuple[int, NDArray[np.uint8]]]:
        """Levels of the leads at times in femtoseconds, in order and after all asked for before.

        Parameters
        ----------
        times : ndarray of int64
            When, four times in a cycle of the receiver.
        places : EdgePlaces, optional
            Told where the edges are.

        Returns
        -------
        list of (int, ndarray of uint8)
            Shift of the input in the receiver's word and its samples, for each lead that has any
            high level.
        """
        seen = []
        for lane, changes in enumerate(self._changes):
            passed = np.searchsorted(changes, times, side="right")
            levels = (self._levels[lane] ^ (passed & 1)).astype(np.uint8)
            self._levels[lane] = levels[-1]
            self._changes[lane] = changes[passed[-1] :]
            end = self._end(lane) % len(AUXILIARY_SHIFTS)
            if levels.any():
                seen.append((AUXILIARY_SHIFTS[end], levels))
            if places is not None:
                behind = np.flatnonzero(np.diff(passed, prepend=0))
                leads = times[behind] - changes[passed[behind] - 1]
                places.mark(AUXILIARY_CHANNELS[end], behind, leads)
        return seen

    def _end(self, lane: int) -> int:
        """Lane whose input the lead of a lane is plugged into."""
        first, second = self._settings.swapped or (lane, lane)
        return {first: second, second: first}.get(lane, lane)
