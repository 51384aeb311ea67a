"""Reconciliation: the receiver finds the transmitter's bits from its own and a syndrome."""

from keybeam.distillation.reconciliation.choice import choose_code, frame_error_limit
from keybeam.distillation.reconciliation.code import (
    Code,
    code_by_identifier,
    code_identifiers,
)
from keybeam.distillation.reconciliation.decoder import DecodeResult, decode

__all__ = [
    "Code",
    "DecodeResult",
    "choose_code",
    "code_by_identifier",
    "code_identifiers",
    "decode",
    "frame_error_limit",
]
