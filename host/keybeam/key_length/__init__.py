"""Length of the secret key of a privacy-amplification block.

`composable_key_length` is what keys should be made with; `paper_key_length` is the analysis
of arXiv:2408.10994. ``docs/security.md`` says what is proved of either.
"""

from keybeam.key_length.analyses import Analysis, SessionAnalysis
from keybeam.key_length.composable import (
    LARGEST_QBER,
    ComposableKeyLength,
    Security,
    composable_key_length,
)
from keybeam.key_length.counts import MOST_PACKETS, BasisCounts, BlockCounts, SiftedCounts
from keybeam.key_length.entropy import binary_entropy
from keybeam.key_length.errors import KeyLengthError, NoKeyError
from keybeam.key_length.paper import (
    PAPER_INTENSITIES,
    PAPER_PROBABILITIES,
    PAPER_XI,
    KeyLength,
    chernoff_bounds,
    paper_key_length,
)
from keybeam.key_length.source import Source

__all__ = [
    "LARGEST_QBER",
    "MOST_PACKETS",
    "PAPER_INTENSITIES",
    "PAPER_PROBABILITIES",
    "PAPER_XI",
    "Analysis",
    "BasisCounts",
    "BlockCounts",
    "ComposableKeyLength",
    "KeyLength",
    "KeyLengthError",
    "NoKeyError",
    "Security",
    "SessionAnalysis",
    "SiftedCounts",
    "Source",
    "binary_entropy",
    "chernoff_bounds",
    "composable_key_length",
    "paper_key_length",
]
