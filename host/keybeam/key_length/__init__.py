"""Length of the secret key of a privacy-amplification block.

`paper_key_length` is the analysis of arXiv:2408.10994.
"""

from keybeam.key_length.counts import BlockCounts
from keybeam.key_length.entropy import binary_entropy
from keybeam.key_length.errors import KeyLengthError
from keybeam.key_length.paper import (
    PAPER_INTENSITIES,
    PAPER_PROBABILITIES,
    PAPER_XI,
    KeyLength,
    chernoff_bounds,
    paper_key_length,
)

__all__ = [
    "PAPER_INTENSITIES",
    "PAPER_PROBABILITIES",
    "PAPER_XI",
    "BlockCounts",
    "KeyLength",
    "KeyLengthError",
    "binary_entropy",
    "chernoff_bounds",
    "paper_key_length",
]
