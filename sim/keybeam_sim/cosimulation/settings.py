"""What a co-simulation is told: the link between the boards, and the boards' own parameters."""

from typing import Literal

import msgspec

from keybeam.protocol.records import DETECTOR_CHANNELS

__all__ = [
    "ALWAYS_PS",
    "CLICK_WIDTH_PS",
    "LEAD_DELAY_PS",
    "MAXIMUM_JITTER_PS",
    "MINIMUM_DELAY_PS",
    "SETTINGS_FILE",
    "SETTINGS_VARIABLE",
    "BoardSettings",
    "HostLinkSettings",
    "LeadSettings",
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

LEAD_DELAY_PS = MINIMUM_DELAY_PS
"""Delay that all loop-back leads have in common. It is that of a very long cable, because nothing
reaches the other board of a co-simulation sooner; only differences between leads are measured."""

ALWAYS_PS = 10**15
"""End of a fault that lasts for the whole run."""

LinkFaultKind = Literal["burst", "line cut", "stuck detector", "noisy detector", "dead detector"]


class LinkFault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong for a time.

    Attributes
    ----------
    kind : str
        ``burst``: every detector has `rate_hz` more background counts a second. ``line cut``: the
        downlink stays low. ``stuck detector``: the output of `detector` stays high. ``noisy
        detector``: `detector` alone has `rate_hz` more background counts a second. ``dead
        detector``: `detector` does not click.
    begin_ps, end_ps : int
        When, in picoseconds from the first clock edge of both boards on.
    rate_hz : float
        Of a burst, or of a noisy detector.
    detector : int
        Channel of the one detector, 0 to 3.
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


class LeadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Loop-back leads from the lanes of the single-laser source to the time-tagger.

    Lanes 0, 2 and 4 are led to AUX_1, lanes 1 and 3 to AUX_2, which are not enabled after reset.

    Attributes
    ----------
    skews_ps : tuple of int
        By how much each lane and its lead are longer than `LEAD_DELAY_PS`, in picoseconds.
    jitter_ps : float
        Standard deviation of the edges in picoseconds.
    dead_lane : int or None
        Lane whose lead shows nothing.
    swapped : tuple of int or None
        Two lanes whose leads are plugged into each other's inputs.
    """

    skews_ps: tuple[int, int, int, int, int] = (0, 730, -410, 2_260, 1_115)
    jitter_ps: float = 10.0
    dead_lane: int | None = None
    swapped: tuple[int, int] | None = None


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
    afterpulse_probability : float
        Probability that a click is followed by another one that no light causes.
    afterpulse_time_ps : int
        Mean time of an afterpulse after the end of the dead time, in picoseconds. Trapped carriers
        are released at random, so the time is exponentially distributed (Cova, Lacaita and
        Ripamonti, IEEE Electron Device Lett. 12, 685, 1991).
    leads : LeadSettings or None
        Loop-back leads from lanes to the auxiliary inputs; None without any.
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
    afterpulse_probability: float = 0.0
    afterpulse_time_ps: int = 50_000
    leads: LeadSettings | None = None
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
            "afterpulse_probability": 0 <= self.afterpulse_probability < 1,
            "afterpulse_time_ps": self.afterpulse_time_ps > 0,
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


class HostLinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to bytes and boards between the simulated pins and the host.

    Attributes
    ----------
    byte_error_rate : float
        Probability that a byte between a board and its host is changed.
    other_revision : bool
        Whether the transmitter tells the hash of a register map that no host knows, as one does
        that was built from another revision.
    """

    byte_error_rate: float = 0.0
    other_revision: bool = False


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
    stuck_random_lane : int or None
        Lane of the first random-number chip that is always high.
    host_link : HostLinkSettings
        The way to the host.
    clock : str or None
        File that shows the simulated time while the simulation runs (see
        `keybeam.device.SimulatedClock`).
    """

    link: LinkSettings
    boards: BoardSettings
    simulator: str = "verilator"
    frames: int | None = None
    truth: str | None = None
    stuck_random_lane: int | None = None
    host_link: HostLinkSettings = HostLinkSettings()
    clock: str | None = None
