"""Cut-offs of all health tests that a board runs on one random-number chip."""

from dataclasses import dataclass

from keybeam.protocol.numbers import PULSE_RATE_HZ
from keybeam.randomness.health_tests import (
    adaptive_proportion_cutoff,
    false_alarm_probability,
    repetition_count_cutoff,
)
from keybeam.randomness.layout import BIT_WINDOW, GROUP_BITS, LANES, SYMBOL_WINDOW, WORD_BITS

__all__ = [
    "CHIP_CUTOFFS",
    "CHIP_ENTROPY_PER_BIT",
    "HARD_STOP_PROBABILITY",
    "RING_CUTOFFS",
    "RING_ENTROPY_PER_BIT",
    "Cutoffs",
    "cutoffs",
]

HARD_STOP_PROBABILITY = 2.0**-60
"""Probability per sample, or per window, of a false alarm: of the 625 million samples a second
of one test, one false alarm in 58 years."""

CHIP_ENTROPY_PER_BIT = 0.9
"""Claimed min-entropy of a raw bit of a chip (assumed; give that of the chip's data sheet)."""

RING_ENTROPY_PER_BIT = 0.3
"""Claimed min-entropy of a raw bit of the ring oscillators (assumed; they never make key)."""

_SMALLEST_RUN = 5
_LONGEST_RUN = 1023


@dataclass(frozen=True)
class Cutoffs:
    """Counts that raise the alarms of one chip; see `keybeam.randomness.layout` for the samples."""

    repetition_bits: int
    """Equal bits of a lane, or equal differences of two lanes, in a row; 5 to 1023."""
    repetition_symbols: int
    """Equal symbols in a row; 5 to 1023."""
    repetition_groups: int
    """Repeated groups of a lane in a row, plus 1; 5 to 1023."""
    repetition_words: int
    """Repeated words in a row, plus 1; 5 to 1023."""
    proportion_bits: int
    """Bits of a window that equal its first; 1 to 1024."""
    proportion_symbols: int
    """Symbols of a window that equal its first; 1 to 512."""


def cutoffs(
    entropy_per_bit: float,
    *,
    years: float | None = None,
    sample_rate_hz: float = PULSE_RATE_HZ,
) -> Cutoffs:
    """Work out the cut-offs of a chip from what is claimed of it.

    Bits of different lanes and slots are taken as independent, so that a symbol or a group of
    four bits has four times the entropy of a bit, and a word sixteen times.

    Parameters
    ----------
    entropy_per_bit : float
        Claimed min-entropy of a raw bit, above 0 and up to 1.
    years : float, optional
        Mean time between false alarms of one test, in years. Without it each sample, and each
        window, has a false alarm with `HARD_STOP_PROBABILITY`.
    sample_rate_hz : float
        Bits a second of a lane; only used with `years`.

    Returns
    -------
    Cutoffs
        For the registers of the board. The board counts four samples at a time, so that a
        shorter run than 5 is raised to 5.

    Raises
    ------
    ValueError
        If an argument is out of range, or a cut-off would not fit its register.
    """
    if not 0 < entropy_per_bit <= 1:
        raise ValueError(f"a bit has a min-entropy within 0 and 1, not {entropy_per_bit}")

    def probability(samples: int) -> float:
        """Probability of a false alarm at an event that comes every so many bits of a lane."""
        if years is None:
            return HARD_STOP_PROBABILITY
        return false_alarm_probability(sample_rate_hz / samples, years)

    def run(bits: int, samples: int) -> int:
        cutoff = repetition_count_cutoff(bits * entropy_per_bit, probability(samples))
        if cutoff > _LONGEST_RUN:
            raise ValueError(
                f"a run of {cutoff} samples is longer than the board counts ({_LONGEST_RUN})"
            )
        return max(cutoff, _SMALLEST_RUN)

    return Cutoffs(
        repetition_bits=run(1, 1),
        repetition_symbols=run(LANES, 1),
        repetition_groups=run(GROUP_BITS, GROUP_BITS),
        repetition_words=run(WORD_BITS, GROUP_BITS),
        proportion_bits=adaptive_proportion_cutoff(
            entropy_per_bit, probability(BIT_WINDOW), BIT_WINDOW
        ),
        proportion_symbols=adaptive_proportion_cutoff(
            LANES * entropy_per_bit, probability(SYMBOL_WINDOW), SYMBOL_WINDOW
        ),
    )


CHIP_CUTOFFS = cutoffs(CHIP_ENTROPY_PER_BIT)
"""What a board starts with for its chips."""

RING_CUTOFFS = cutoffs(RING_ENTROPY_PER_BIT)
"""What a board starts with for its ring oscillators."""
