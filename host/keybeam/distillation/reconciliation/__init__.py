"""Reconciliation: the receiver finds the transmitter's bits from its own and a syndrome."""

from keybeam.distillation.reconciliation.cascade import (
    CascadePlan,
    CascadeSender,
    reconcile_by_cascade,
)
from keybeam.distillation.reconciliation.choice import choose_code, frame_error_limit
from keybeam.distillation.reconciliation.code import (
    Code,
    code_by_identifier,
    code_identifiers,
)
from keybeam.distillation.reconciliation.decoder import (
    DecodeResult,
    FrameDecoder,
    decode,
    instruction_sets,
)
from keybeam.distillation.reconciliation.estimate import (
    Counted,
    ErrorEstimate,
    estimate_error_rate,
)
from keybeam.distillation.reconciliation.fast_code import (
    FastCode,
    fast_code_by_identifier,
    fast_code_identifiers,
    fast_instruction_sets,
)
from keybeam.distillation.reconciliation.modes import Mode, Reconciled, reconcile, wanted_bits

__all__ = [
    "CascadePlan",
    "CascadeSender",
    "Code",
    "Counted",
    "DecodeResult",
    "ErrorEstimate",
    "FastCode",
    "FrameDecoder",
    "Mode",
    "Reconciled",
    "choose_code",
    "code_by_identifier",
    "code_identifiers",
    "decode",
    "estimate_error_rate",
    "fast_code_by_identifier",
    "fast_code_identifiers",
    "fast_instruction_sets",
    "frame_error_limit",
    "instruction_sets",
    "reconcile",
    "reconcile_by_cascade",
    "wanted_bits",
]
