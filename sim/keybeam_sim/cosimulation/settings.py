"""What a co-simulation is told: the link between the boards, and the boards' own parameters."""

from typing import Literal

import msgspec

from keybeam.protocol.records import DETECTOR_CHANNELS

__all__ = [
    "CLICK_WIDTH_PS",
    "MAXIMUM_JITTER_PS",
    "MINIMUM_DELAY_PS",
    "SETTINGS_FILE",
    "SETTINGS_VARIABLE",
    "BoardSettings",
    "LinkFault",
    "LinkSettings",
    "RunSettings",
]

MINIMUM_DELAY_PS = 6_000_000
"""Shortest delay of the link: boards and link model exchange blocks of 256 cycles, so what a board
sends can reach the other one after three blocks at the earliest."""

MAXIMUM_JITTER_PS = 100_000
"""Widest jitter: even 20 standard deviations are less than what the shortest delay leaves."""

SETTINGS_FILE = "settings.json"
"""Name of the file with the `RunSettings` in the folder of a run."""

SETTINGS_VARIABLE = "KEYBEAM_COSIMULATION"
"""Environment variable that tells the simulator where that file is."""

CLICK_WIDTH_PS = 4_000
"""Length of a detector's output pulse: two or three samples of the receiver."""

LinkFaultKind = Literal["burst", "line cut", "stuck detector"]


class LinkFault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong for a time.

    Attributes
    ----------
    kind : str
        ``burst``: every detector has `rate_hz` more background counts a second. ``line cut``: the
        downlink stays low. ``stuck detector``: the output of `detector` stays high.
    begin_ps, end_ps : int
        When, in picoseconds from the first clock edge of both boards on.
    rate_hz : float
        Of a burst.
    detector : int
        Channel of a stuck detector, 0 to 3.
    """

    kind: LinkFaultKind
    begin_ps: int
    end_ps: int
    rate_hz: float = 0.0
    detector: int = 0

    def __post_init__(self) -> None:
        detectors = range(len(DETECTOR_CHANNELS))
        if not 0 <= self.begin_ps < self.end_ps or self.detector not in detectors:
            raise ValueError(f"there cannot be such a fault: {self}")


class LinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The optical link and the detectors.

    Attributes
    ----------
    loss_db : float
        Loss from the transmitter to a count, the detectors' efficiency included, in decibels.
    delay_ps : int
        Time of flight in picoseconds, at least `MINIMUM_DELAY_PS`.
    background_hz : float
        Dark and background counts a second of each detector.
    jitter_fwhm_ps : float
        Full width at half maximum of the detectors' Gaussian jitter in picoseconds, at
        most `MAXIMUM_JITTER_PS`.
    misalignment : float
        Probability that a photon measured in the basis it was prepared in reaches the wrong
        detector.
    line_error_rate : float
        Probability that a downlink bit is received inverted.
    clock_offset_ppm : float
        How much longer the receiver's clock period is than the transmitter's, in parts per million;
        the period is rounded to an even number of femtoseconds (0.3 ppm).
    dead_time_ps : int
        Time after a click in which the same detector cannot click again, in picoseconds; at
        least twice `CLICK_WIDTH_PS`, so that pulses stay apart.
    seed : int
        Seed of clicks, errors and of the transmitter's random words.
    faults : tuple of LinkFault
        What goes wrong, and when.
    """

    loss_db: float = 30.0
    delay_ps: int = 20_000_000
    background_hz: float = 0.0
    jitter_fwhm_ps: float = 0.0
    misalignment: float = 0.0
    line_error_rate: float = 0.0
    clock_offset_ppm: float = 0.0
    dead_time_ps: int = 30_000
    seed: int = 1
    faults: tuple[LinkFault, ...] = ()

    def __post_init__(self) -> None:
        checks = {
            "loss_db": self.loss_db >= 0,
            "delay_ps": self.delay_ps >= MINIMUM_DELAY_PS,
            "background_hz": self.background_hz >= 0,
            "jitter_fwhm_ps": 0 <= self.jitter_fwhm_ps <= MAXIMUM_JITTER_PS,
            "misalignment": 0 <= self.misalignment <= 1,
            "line_error_rate": 0 <= self.line_error_rate <= 1,
            "clock_offset_ppm": abs(self.clock_offset_ppm) <= 1000,
            "dead_time_ps": self.dead_time_ps >= 2 * CLICK_WIDTH_PS,
            "seed": self.seed >= 0,
        }
        for name, holds in checks.items():
            if not holds:
                raise ValueError(f"{name} cannot be {getattr(self, name)}")


class BoardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the boards are built with; each combination is a Verilog build of its own.

    Attributes
    ----------
    uart_divisor : int
        Cycles of the fabric clock in a bit of the UARTs.
    log_frames : int
        Depth of the transmitter's state log in frames, a power of two.
    lines : int
        Delay lines of each of the receiver's detectors: 0, with which the sampled inputs give the
        times, or 1, which takes several times as long to simulate.
    """

    uart_divisor: int = 4
    log_frames: int = 32
    lines: int = 0


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the simulator.

    Attributes
    ----------
    link : LinkSettings
        The link.
    boards : BoardSettings
        The boards.
    simulator : str
        One of `keybeam_sim.simulators.available_simulators`.
    frames : int or None
        End after so many frame durations.
    truth : str or None
        File for what was sent and detected (see `Truth`), written at the end.
    """

    link: LinkSettings
    boards: BoardSettings
    simulator: str = "verilator"
    frames: int | None = None
    truth: str | None = None
