"""Distillation: from sifted bits to secret key."""

from keybeam.distillation.key_length import (
    BlockCounts,
    KeyLength,
    KeyLengthError,
    binary_entropy,
    paper_key_length,
)

__all__ = [
    "BlockCounts",
    "KeyLength",
    "KeyLengthError",
    "binary_entropy",
    "paper_key_length",
]
