"""Distillation: from sifted bits to secret key."""

from keybeam.distillation.amplification import toeplitz
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.key_length import (
    BlockCounts,
    KeyLength,
    KeyLengthError,
    binary_entropy,
    paper_key_length,
)
from keybeam.distillation.verification import TAG_BITS, collision_probability, tag

__all__ = [
    "TAG_BITS",
    "BlockCounts",
    "DistillationError",
    "KeyLength",
    "KeyLengthError",
    "binary_entropy",
    "collision_probability",
    "paper_key_length",
    "tag",
    "toeplitz",
]
