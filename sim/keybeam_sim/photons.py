"""Clicks of a pass, drawn by thinning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import (
    FABRIC_PERIOD_PS,
    FRAME_DURATION_PS,
    FRAME_SLOTS,
    SLOT_PS,
)
from keybeam.protocol.symbols import Polarisation, basis_of, intensity_of
from keybeam_sim.detectors import FWHM_SIGMA, DeadTime
from keybeam_sim.scenario import PassScenario
from keybeam_sim.source import SymbolSource

__all__ = ["BLOCK_FRAMES", "SYNC_EDGE_DTYPE", "Arrivals", "ClickGenerator"]

BLOCK_FRAMES = 512
"""Frames that are drawn at once, 53.7 ms; efficiency and fading are constant within them."""

SYNC_EDGE_DTYPE = np.dtype(
    [("time_ps", "<f8"), ("counter", "<u8"), ("flags", "u1"), ("valid", "?"), ("flywheel", "?")]
)
"""A sync word at the receiver: time by the receiver's clock, and what its frame's header says."""

_MARGIN_PS = 20_000.0
"""Clicks of a block come no earlier than this before its first frame: more than any jitter."""


@dataclass(frozen=True)
class Arrivals:
    """What reaches the receiver until some time.

    Attributes
    ----------
    times_ps : ndarray of float64
        Clicks by the receiver's clock, in order.
    channels : ndarray of uint8
        Their detectors.
    syncs : ndarray of SYNC_EDGE_DTYPE
        Sync words, in order.
    until_ps : float
        Nothing that comes later is earlier than this.
    """

    times_ps: NDArray[np.float64]
    channels: NDArray[np.uint8]
    syncs: NDArray[np.void]
    until_ps: float


class ClickGenerator:
    """Draw what the receiver of a pass sees, block by block.

    Photons are a Poisson process (coherent states with random phase, split passively): candidates
    are drawn as if every pulse had the brightest intensity, at random pulse indices, and accepted
    with the ratio of the symbol's mean photon number to the brightest. So every pulse makes
    photons with exactly its own mean (Lewis and Shedler, Nav. Res. Logist. Q. 26, 403, 1979), at
    the cost of a few random numbers a click instead of 2e11 pulses.

    Parameters
    ----------
    scenario : PassScenario
        The pass.
    first_frame : int
        Counter of the first frame; it is sent at time zero of the pass.

    Attributes
    ----------
    symbols : SymbolSource
        What the pulses are.
    frames : int
        Frames sent so far.
    until_ps : float
        Nothing that comes is earlier than this time of the receiver's clock; whole cycles.
    """

    def __init__(self, scenario: PassScenario, first_frame: int = 0) -> None:
        self.scenario = scenario
        self.symbols = SymbolSource(scenario.seed)
        self.first_frame = first_frame
        self.frames = 0
        self._dead_time = DeadTime(scenario.detectors.dead_time_ps)
        self._late_times = np.empty(0)
        self._late_channels = np.empty(0, np.uint8)
        self.until_ps = _whole_cycles(self._received(0.0, np.zeros(1))[0] - _MARGIN_PS)
        block_s = BLOCK_FRAMES * FRAME_DURATION_PS * 1e-12
        blocks = int(scenario.duration_s / block_s) + 1
        generator = np.random.default_rng([scenario.seed, 0])
        self._fading = scenario.fading.sample(blocks, block_s, generator)

    def advance(self, frames: int = BLOCK_FRAMES, flags: int = FrameFlag.RUNNING) -> Arrivals:
        """Let the transmitter send the next frames.

        Parameters
        ----------
        frames : int
            How many, at most `BLOCK_FRAMES`.
        flags : int
            Mode flags in their headers; photons come only from frames with RUNNING.
        """
        scenario = self.scenario
        generator = np.random.default_rng([scenario.seed, 1, self.frames])
        start_ps = self.frames * float(FRAME_DURATION_PS)
        middle_s = (self.frames + frames / 2) * FRAME_DURATION_PS * 1e-12

        sent = start_ps + np.arange(frames + 1) * float(FRAME_DURATION_PS)
        received = self._received(middle_s, sent)
        syncs = np.empty(frames, SYNC_EDGE_DTYPE)
        noise = scenario.sync_fwhm_ps * FWHM_SIGMA * generator.standard_normal(frames)
        syncs["time_ps"] = received[:-1] + np.clip(noise, -_MARGIN_PS / 4, _MARGIN_PS / 4)
        counters = np.uint64(self.first_frame + self.frames) + np.arange(frames, dtype=np.uint64)
        syncs["counter"], syncs["flags"] = counters, flags
        syncs["valid"], syncs["flywheel"] = True, False

        until = _whole_cycles(received[-1] - _MARGIN_PS)
        times, channels = self._background(until, generator)
        if flags & FrameFlag.RUNNING:
            emitted, ports = self._photons(frames, middle_s, generator)
            times = np.concatenate([times, self._received(middle_s, start_ps + emitted)])
            channels = np.concatenate([channels, ports])
        times = np.concatenate([times, self._late_times])
        channels = np.concatenate([channels, self._late_channels])
        order = np.argsort(times)
        times, channels = times[order], channels[order]
        due = int(np.searchsorted(times, until))
        self._late_times, self._late_channels = times[due:], channels[due:]
        keep = self._dead_time.kept(times[:due], channels[:due])
        self.frames += frames
        self.until_ps = until
        return Arrivals(times[:due][keep], channels[:due][keep], syncs, until)

    def delay_frames(self) -> int:
        """Frames that are under way between the terminals now, rounded up."""
        delay_s = float(self.scenario.geometry.delay_s(self.frames * FRAME_DURATION_PS * 1e-12))
        return int(delay_s * 1e12 / FRAME_DURATION_PS) + 1

    def _received(self, middle_s: float, sent_ps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Receiver's times of what is sent near `middle_s`."""
        zeroth, first, second, third = self.scenario.geometry.delay_series(middle_s)
        since = sent_ps * 1e-12 - middle_s
        delay_s = zeroth + since * (first + since * (second + since * third))
        return self.scenario.clock.show_ps(sent_ps + delay_s * 1e12)

    def _background(
        self, until: float, generator: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        length = until - self.until_ps
        count = generator.poisson(self.scenario.detectors.background_hz * length * 1e-12)
        times = self.until_ps + length * generator.random(count)
        return times, generator.integers(0, len(Polarisation), count, np.uint8)

    def _photons(
        self, frames: int, middle_s: float, generator: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Draw times after the first frame's start, by the sender's clock, and detectors."""
        scenario, source = self.scenario, self.scenario.source
        fading = self._fading[min(self.frames // BLOCK_FRAMES, self._fading.size - 1)]
        efficiency = float(scenario.efficiency(middle_s)) * fading
        pulses = frames * FRAME_SLOTS
        count = generator.poisson(pulses * source.brightest * efficiency)
        slots = generator.integers(0, pulses, count, np.uint64)
        first = np.uint64((self.first_frame + self.frames) * FRAME_SLOTS)
        symbols = self.symbols.symbols(first + slots)
        ratio = source.photons_of(intensity_of(symbols)) / source.brightest
        accepted = generator.random(count) < ratio
        slots, symbols = slots[accepted], symbols[accepted]
        jitter = scenario.detectors.jitter(slots.size, source.pulse_fwhm_ps, generator)
        return (slots + 0.5) * SLOT_PS + jitter, self._ports(symbols & 3, generator)

    def _ports(
        self, polarisations: NDArray[np.uint8], generator: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Detectors that photons reach: the basis by chance, the bit by the polarisation."""
        basis = generator.integers(0, 2, polarisations.size, np.uint8)
        wrong = generator.random(polarisations.size) < self.scenario.source.misalignment
        flipped = polarisations ^ wrong
        other = generator.integers(0, 2, polarisations.size, np.uint8)
        bit = np.where(basis == basis_of(polarisations), flipped & 1, other)
        return (basis << 1 | bit).astype(np.uint8)


def _whole_cycles(time_ps: float) -> float:
    """Round down to a border of cycles, so that no time bin is cut in two."""
    return float(time_ps // FABRIC_PERIOD_PS * FABRIC_PERIOD_PS)
