"""Health of random numbers: how a chip's bits are arranged, and the cut-offs of their tests."""

from keybeam.randomness.cutoffs import (
    CHIP_CUTOFFS,
    CHIP_ENTROPY_PER_BIT,
    HARD_STOP_PROBABILITY,
    RING_CUTOFFS,
    RING_ENTROPY_PER_BIT,
    Cutoffs,
    cutoffs,
)
from keybeam.randomness.entropy import markov_entropy, most_common_value_entropy
from keybeam.randomness.health_tests import (
    adaptive_proportion_cutoff,
    false_alarm_probability,
    repetition_count_cutoff,
)
from keybeam.randomness.layout import (
    BIT_WINDOW,
    GROUP_BITS,
    LANES,
    REPEAT_DISTANCE,
    STARTUP_WINDOWS,
    SYMBOL_WINDOW,
    WORD_BITS,
)
from keybeam.randomness.training import TRAINING_PATTERN

__all__ = [
    "BIT_WINDOW",
    "CHIP_CUTOFFS",
    "CHIP_ENTROPY_PER_BIT",
    "GROUP_BITS",
    "HARD_STOP_PROBABILITY",
    "LANES",
    "REPEAT_DISTANCE",
    "RING_CUTOFFS",
    "RING_ENTROPY_PER_BIT",
    "STARTUP_WINDOWS",
    "SYMBOL_WINDOW",
    "TRAINING_PATTERN",
    "WORD_BITS",
    "Cutoffs",
    "adaptive_proportion_cutoff",
    "cutoffs",
    "false_alarm_probability",
    "markov_entropy",
    "most_common_value_entropy",
    "repetition_count_cutoff",
]
