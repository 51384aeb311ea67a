"""The optical link between two co-simulated boards: pulses to clicks, line bits to samples.

A weak coherent pulse of mean photon number m behind a loss of transmission T
gives independent Poissonian numbers of photons, with means that add up to m T,
on the four detectors (Loudon, The Quantum Theory of Light, 3rd ed., section
5.10); a detector clicks with probability ``1 - exp(-mean)``. The choice of
basis is passive: half of the light goes to each pair of detectors.
"""

import heapq
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOTS_PER_CYCLE
from keybeam.protocol.records import DETECTOR_CHANNELS, Channel
from keybeam.protocol.symbols import (
    INTENSITY_MEAN_PHOTONS,
    SYMBOL_BITS,
    Intensity,
    basis_of,
    bit_of,
    intensity_of,
)
from keybeam_gateware.transmitter import LANES_LAYOUT
from keybeam_sim.cosimulation.blocks import DETECTORS_SHIFT, LINE_SHIFT
from keybeam_sim.cosimulation.edge_places import EdgePlaces
from keybeam_sim.cosimulation.leads import Leads
from keybeam_sim.cosimulation.settings import (
    CLICK_WIDTH_PS,
    LinkFault,
    LinkSettings,
)
from keybeam_sim.cosimulation.truth import NO_SLOT, TruthRecorder

__all__ = ["TRANSMITTER_PERIOD_FS", "LinkModel", "receiver_period_fs"]

_FS_PER_PS = 1000
_FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))

TRANSMITTER_PERIOD_FS = FABRIC_PERIOD_PS * _FS_PER_PS
"""Period of the transmitter's fabric clock in femtoseconds."""

_WIDTH_FS = CLICK_WIDTH_PS * _FS_PER_PS


def receiver_period_fs(settings: LinkSettings) -> int:
    """Period of the receiver's fabric clock in femtoseconds, an even number."""
    return 2 * round(TRANSMITTER_PERIOD_FS * (1 + settings.clock_offset_ppm * 1e-6) / 2)


def click_probabilities(settings: LinkSettings) -> NDArray[np.float64]:
    """Probability of a click of each detector for each symbol.

    Returns
    -------
    ndarray of float64, shape (16, 4)
        By symbol and detector channel (H, V, D, A); zero for symbols marked invalid.
    """
    symbols = np.arange(1 << SYMBOL_BITS)[:, None]
    detectors = np.array(DETECTOR_CHANNELS)[None, :]
    wrong = settings.misalignment
    same_basis = basis_of(symbols) == basis_of(detectors)
    same_bit = bit_of(symbols) == bit_of(detectors)
    share = np.where(same_basis, np.where(same_bit, 1 - wrong, wrong), 0.5) / 2
    photons = np.array([INTENSITY_MEAN_PHOTONS.get(level, 0.0) for level in Intensity])
    mean = photons[intensity_of(symbols)] * 10 ** (-settings.loss_db / 10) * share
    return -np.expm1(-mean)


def symbols_of_lanes(lanes: NDArray[np.uint32]) -> tuple[NDArray[np.bool], NDArray[np.uint8]]:
    """Triggers and symbols of the transmitter's lanes, as they drive the single-laser source.

    Parameters
    ----------
    lanes : ndarray of uint32, shape (n,)
        The lanes of n cycles.

    Returns
    -------
    triggers : ndarray of bool, shape (n, 4)
        Whether the laser is triggered in the slot.
    symbols : ndarray of uint8, shape (n, 4)
        What the modulators are set to.
    """
    slots = np.arange(SLOTS_PER_CYCLE, dtype=np.uint32)

    def lane(number: int) -> NDArray[np.uint8]:
        place = slots + np.uint32(LANES_LAYOUT[f"lane_{number}"].offset)
        return (lanes[:, None] >> place & 1).astype(np.uint8)

    symbols = lane(3) | lane(4) << 1 | lane(1) << 2 | lane(2) << 3
    return lane(0).astype(bool), symbols


def _pack(levels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Four samples a cycle as a number, the earliest in the lowest bit."""
    pairs = levels[0::2] | levels[1::2] << 1
    return (pairs[0::2] | pairs[1::2] << 2).astype(np.uint32)


class _Click(NamedTuple):
    """A detection before the detector's dead time; clicks are ordered by time."""

    time_fs: int
    detector: int
    slot: int
    symbol: int


class _Pulse(NamedTuple):
    """A click's pulse at the receiver's pin: its edges, and the first sample behind each."""

    detector: int
    rise: int
    fall: int
    rise_fs: int
    fall_fs: int


class LinkModel:
    """Carries the transmitter's light to the receiver's pins.

    Time counts from the first clock edge of both boards, in femtoseconds.

    Parameters
    ----------
    settings : LinkSettings
        Link and detectors.
    first_cycle : int
        The receiver's cycle for which `receive` is first asked.
    truth : TruthRecorder, optional
        Is told what is sent and detected.
    """

    def __init__(
        self,
        settings: LinkSettings,
        first_cycle: int = 0,
        truth: TruthRecorder | None = None,
    ) -> None:
        self._truth = truth
        self._settings = settings
        self._generator = np.random.default_rng(settings.seed)
        self._probabilities = click_probabilities(settings)
        self._greatest = float(self._probabilities.max())
        self._delay_fs = settings.delay_ps * _FS_PER_PS
        self._period_fs = receiver_period_fs(settings)
        self._jitter_fs = settings.jitter_fwhm_ps * _FS_PER_PS / _FWHM_PER_SIGMA
        self._slot_fs = TRANSMITTER_PERIOD_FS // SLOTS_PER_CYCLE
        self._sent = 0
        self._cycle = first_cycle
        self._clicks: list[_Click] = []
        self._high: list[_Pulse] = []
        self._leads = None if settings.leads is None else Leads(settings.leads, settings.seed)
        self._blind_until = [0] * len(DETECTOR_CHANNELS)
        # Line bits on their way: a ring long enough for twice the delay.
        cycles = 2 * settings.delay_ps // FABRIC_PERIOD_PS + (1 << 12)
        self._line = np.zeros(1 << cycles.bit_length(), np.uint8)
        self._line_level = 0

    def transmit(self, words: NDArray[np.uint32], fine_delays: int = 0) -> None:
        """Take what the transmitter sent in the next cycles.

        Parameters
        ----------
        words : ndarray of uint32, shape (n,)
            Words of the transmitter (see `keybeam_sim.cosimulation.blocks`).
        fine_delays : int
            Delay cells of the lanes, seven bits each.
        """
        line = (words >> LINE_SHIFT & 1).astype(np.uint8)
        if self._truth is not None:
            self._truth.line(line)
        if self._settings.line_error_rate:
            line = line ^ (self._generator.random(line.size) < self._settings.line_error_rate)
        place = (self._sent + np.arange(line.size)) % self._line.size
        self._line[place] = line
        lanes = words & np.uint32((1 << LINE_SHIFT) - 1)
        if self._leads is not None:
            self._leads.set_fine_delays(fine_delays)
            self._leads.transmit(lanes, self._sent)
        if lanes.any():
            self._detect(lanes)
        self._sent += words.size

    def _detect(self, lanes: NDArray[np.uint32]) -> None:
        # Thinning: candidates are drawn with the greatest probability of any symbol, and only for
        # these the symbol is looked at.
        shape = (lanes.size * SLOTS_PER_CYCLE, len(DETECTOR_CHANNELS))
        candidates = np.argwhere(self._generator.random(shape) < self._greatest)
        if candidates.size == 0:
            return
        triggers, symbols = symbols_of_lanes(lanes)
        for slot, detector in candidates.tolist():
            symbol = int(symbols.flat[slot])
            probability = self._probabilities[symbol, detector] * triggers.flat[slot]
            if self._generator.random() * self._greatest < probability:
                number = self._sent * SLOTS_PER_CYCLE + slot
                # The pulse stands in the middle of its slot.
                time = number * self._slot_fs + self._slot_fs // 2 + self._delay_fs
                self._push(time, detector, number, symbol)

    def _push(self, time_fs: int, detector: int, slot: int, symbol: int) -> None:
        if self._jitter_fs:
            time_fs += round(self._generator.normal(0, self._jitter_fs))
        heapq.heappush(self._clicks, _Click(time_fs, detector, slot, symbol))

    def places(self, cycles: int) -> EdgePlaces:
        """Make room for where the edges of some cycles are."""
        return EdgePlaces(cycles, self._period_fs / SLOTS_PER_CYCLE)

    def receive(self, cycles: int, places: EdgePlaces | None = None) -> NDArray[np.uint32]:
        """Return what the receiver's pins see in its next cycles.

        Parameters
        ----------
        cycles : int
            How many.
        places : EdgePlaces, optional
            Told where the edges are.

        Returns
        -------
        ndarray of uint32, shape (cycles,)
            Words of the receiver (see `keybeam_sim.cosimulation.blocks`), without UART.

        Raises
        ------
        ValueError
            If the transmitter's light of these cycles is not known yet.
        """
        first = self._cycle * SLOTS_PER_CYCLE
        samples = np.arange(first, first + cycles * SLOTS_PER_CYCLE, dtype=np.int64)
        times = samples * self._period_fs // SLOTS_PER_CYCLE
        line = self._sample_line(times, places)
        for fault in self._faults("line cut"):
            line[(times >= fault.begin_ps * _FS_PER_PS) & (times < fault.end_ps * _FS_PER_PS)] = 0
        words = _pack(line)
        for detector, levels in self._sample_detectors(first, samples.size, int(times[-1]), places):
            words |= _pack(levels) << np.uint32(DETECTORS_SHIFT + SLOTS_PER_CYCLE * detector)
        if self._leads is not None:
            for shift, levels in self._leads.receive(times, places):
                words |= _pack(levels) << np.uint32(shift)
        for fault in self._faults("stuck detector"):
            high = (times >= fault.begin_ps * _FS_PER_PS) & (times < fault.end_ps * _FS_PER_PS)
            shift = np.uint32(DETECTORS_SHIFT + SLOTS_PER_CYCLE * fault.detector)
            words |= _pack(high.astype(np.uint8)) << shift
        self._cycle += cycles
        return words

    def _sample_line(
        self, times: NDArray[np.int64], places: EdgePlaces | None
    ) -> NDArray[np.uint8]:
        cycles, leads = np.divmod(times - self._delay_fs, TRANSMITTER_PERIOD_FS)
        if cycles[-1] >= self._sent:
            raise ValueError(
                f"the receiver's cycle {self._cycle} needs the transmitter's cycle {cycles[-1]}, "
                f"only {self._sent} are known"
            )
        levels = np.where(cycles < 0, 0, self._line[cycles % self._line.size])
        if places is not None:
            changed = np.flatnonzero(np.diff(levels, prepend=self._line_level))
            places.mark(Channel.LINE, changed, leads[changed])
            self._line_level = levels[-1]
        return levels

    def _sample_detectors(
        self, first: int, count: int, last_fs: int, places: EdgePlaces | None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the detectors with a pulse in `count` samples from `first` on, and the levels."""
        self._add_background(count, last_fs)
        while self._clicks and self._clicks[0].time_fs <= last_fs:
            click = heapq.heappop(self._clicks)
            if click.time_fs < self._blind_until[click.detector] or self._is_dead(click):
                continue
            dead_fs = self._settings.dead_time_ps * _FS_PER_PS
            self._blind_until[click.detector] = click.time_fs + dead_fs
            self._add_afterpulse(click)
            edges = click.time_fs, click.time_fs + _WIDTH_FS
            rise, fall = map(self._sample_at, edges)
            self._high.append(_Pulse(click.detector, rise, fall, *edges))
            if self._truth is not None:
                self._truth.click(click.slot, click.symbol, click.detector, click.time_fs, rise)
        for pulse in self._high:
            levels = np.zeros(count, np.uint8)
            levels[max(0, pulse.rise - first) : max(0, pulse.fall - first)] = 1
            if places is not None:
                self._mark(places, pulse, first)
            yield pulse.detector, levels
        self._high = [pulse for pulse in self._high if pulse.fall > first + count]

    def _mark(self, places: EdgePlaces, pulse: _Pulse, first: int) -> None:
        samples = np.array([pulse.rise, pulse.fall])
        times = samples * self._period_fs // SLOTS_PER_CYCLE
        leads = times - np.array([pulse.rise_fs, pulse.fall_fs])
        places.mark(DETECTOR_CHANNELS[pulse.detector], samples - first, leads)

    def _is_dead(self, click: _Click) -> bool:
        return any(
            fault.detector == click.detector
            and fault.begin_ps * _FS_PER_PS <= click.time_fs < fault.end_ps * _FS_PER_PS
            for fault in self._faults("dead detector")
        )

    def _add_afterpulse(self, click: _Click) -> None:
        """Let a click be followed by one that nothing causes but the carriers it left trapped."""
        probability = self._settings.afterpulse_probability
        if probability and self._generator.random() < probability:
            wait_fs = self._generator.exponential(self._settings.afterpulse_time_ps * _FS_PER_PS)
            time_fs = self._blind_until[click.detector] + round(wait_fs)
            heapq.heappush(self._clicks, _Click(time_fs, click.detector, NO_SLOT, 0))

    def _faults(self, kind: str) -> Iterator[LinkFault]:
        return (fault for fault in self._settings.faults if fault.kind == kind)

    def _add_background(self, count: int, last_fs: int) -> None:
        first_fs = last_fs - count * self._period_fs // SLOTS_PER_CYCLE
        self._add_noise(self._settings.background_hz, first_fs, last_fs)
        for fault in (*self._faults("burst"), *self._faults("noisy detector")):
            begin = max(first_fs, fault.begin_ps * _FS_PER_PS)
            end = min(last_fs, fault.end_ps * _FS_PER_PS)
            only = fault.detector if fault.kind == "noisy detector" else None
            self._add_noise(fault.rate_hz, begin, end, only)

    def _add_noise(
        self, rate_hz: float, begin_fs: int, end_fs: int, only: int | None = None
    ) -> None:
        """Add clicks that no pulse causes in a stretch of time, on each detector or on one."""
        if not rate_hz or end_fs <= begin_fs:
            return
        mean = rate_hz * (end_fs - begin_fs) * 1e-15
        means = [mean if only in (None, channel) else 0.0 for channel in DETECTOR_CHANNELS]
        for detector, clicks in enumerate(self._generator.poisson(means)):
            for time in self._generator.integers(begin_fs, end_fs, clicks):
                heapq.heappush(self._clicks, _Click(int(time), detector, NO_SLOT, 0))

    def _sample_at(self, time_fs: int) -> int:
        """First sample of the receiver at or after a time."""
        return -(-time_fs * SLOTS_PER_CYCLE // self._period_fs)
