"""How long a bring-up measures, and the limits it holds the results to."""

import msgspec

from keybeam.protocol.records import AUXILIARY_CHANNELS, Channel
from keybeam.randomness import CHIP_ENTROPY_PER_BIT

__all__ = ["REAL", "SIMULATED", "Plan"]


LEADS = {lane: AUXILIARY_CHANNELS[lane % 2] for lane in range(5)}
"""Leads of the five lanes of the single-laser source: even lanes to AUX_1, odd ones to AUX_2."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts and limits.

    Attributes
    ----------
    simulated : bool
        Whether the boards are simulated: their time runs thousands of times slower, so amounts are
        small, and limits that so little cannot show are wider, which the page says.
    clock_frames : int
        Frames in which the transmitter's clock is measured against the receiver's.
    sample_bits : int
        Bits of the sample of each random-number chip.
    leads : dict of int to int
        Channel at which the loop-back lead of each lane ends. Leads that end at one channel are
        joined there, or moved while the operator is asked to.
    lane_tags : int
        Time tags of a lane, and at least as many of the downlink's edges.
    line_frames : int
        Frames of the downlink whose check sums are counted.
    payload_bytes : int
        Bytes sent over the downlink and compared.
    tagger_tags : int
        Time tags from which the tagger's bins and jitter are found.
    calibration_counts : int
        Edges of each direction counted for a delay line.
    dark_s : float
        Seconds in the dark.
    clicks : int
        Clicks of each detector wanted with light, in at most
    light_s : float
        so many seconds.
    round_trips : int
        Register accesses of each board that are timed.
    throughput_records : int
        Records that are taken at full speed.
    clock_ppm : float
        Largest difference of the two clocks: what the data recovery was tried with.
    absolute_ppm : float
        Largest deviation of a clock from its nominal frequency, by the host's clock.
    entropy_per_bit : float
        Least min-entropy of a raw bit: what the health tests' cut-offs are made for.
    alignment_ps : float
        Largest delay between any two lanes after they were aligned: one step of the delay cells.
    bit_error_rate : float
        Largest error rate of the downlink.
    jitter_ps : float
        Largest standard deviation of a single time with delay lines (docs/time-tagger.md).
    dnl_lsb : float
        Largest deviation of a sampled input's bin, in bins.
    dark_hz : float
        Largest rate of clicks in the dark.
    least_dead_time_ps, most_dead_time_ps : float
        Bounds of the shortest time between two clicks.
    afterpulses : float
        Largest probability of an afterpulse.
    throughput : float
        Least part of the serial line's rate that tags take.
    """

    simulated: bool = False
    clock_frames: int = 10_000
    sample_bits: int = 1 << 20
    leads: dict[int, Channel] = msgspec.field(default_factory=LEADS.copy)
    lane_tags: int = 1_000
    line_frames: int = 200_000
    payload_bytes: int = 100_000
    tagger_tags: int = 20_000
    calibration_counts: int = 1_000_000
    dark_s: float = 10.0
    clicks: int = 20_000
    light_s: float = 30.0
    round_trips: int = 100
    throughput_records: int = 50_000
    clock_ppm: float = 100.0
    absolute_ppm: float = 200.0
    entropy_per_bit: float = CHIP_ENTROPY_PER_BIT
    alignment_ps: float = 25.0
    bit_error_rate: float = 1e-9
    jitter_ps: float = 25.0
    dnl_lsb: float = 0.5
    dark_hz: float = 1_000.0
    least_dead_time_ps: float = 10_000.0
    most_dead_time_ps: float = 200_000.0
    afterpulses: float = 0.05
    throughput: float = 0.95


REAL = Plan()
"""For boards: about two minutes and a half at 3 Mbaud."""

SIMULATED = Plan(
    simulated=True,
    clock_frames=7,
    sample_bits=434,
    lane_tags=50,
    line_frames=8,
    payload_bytes=240,
    tagger_tags=160,
    calibration_counts=50_000,
    dark_s=5e-4,
    clicks=100,
    light_s=8e-4,
    round_trips=5,
    throughput_records=500,
)
"""For co-simulated boards: some ten milliseconds of their time."""
