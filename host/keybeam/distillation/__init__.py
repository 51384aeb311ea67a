"""Distillation: from sifted bits to secret key."""

from keybeam.distillation.amplification import prepare_toeplitz, toeplitz
from keybeam.distillation.errors import DistillationError, NoCodeError
from keybeam.distillation.reconciliation import (
    Code,
    DecodeResult,
    Mode,
    Reconciled,
    choose_code,
    code_by_identifier,
    decode,
    reconcile,
)
from keybeam.distillation.verification import TAG_BITS, collision_probability, tag
from keybeam.key_length import (
    BlockCounts,
    KeyLength,
    KeyLengthError,
    binary_entropy,
    paper_key_length,
)

__all__ = [
    "TAG_BITS",
    "BlockCounts",
    "Code",
    "DecodeResult",
    "DistillationError",
    "KeyLength",
    "KeyLengthError",
    "Mode",
    "NoCodeError",
    "Reconciled",
    "binary_entropy",
    "choose_code",
    "code_by_identifier",
    "collision_probability",
    "decode",
    "paper_key_length",
    "prepare_toeplitz",
    "reconcile",
    "tag",
    "toeplitz",
]
