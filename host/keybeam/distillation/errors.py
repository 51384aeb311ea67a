"""Errors of distillation steps that were given what they cannot work on."""

from keybeam.errors import KeybeamError

__all__ = ["DistillationError", "NoCodeError"]


class DistillationError(KeybeamError):
    """Bits, a seed, a key or a length of the wrong size or kind, or an inexact product."""


class NoCodeError(DistillationError):
    """An error rate that is possible, but too high for every reconciliation code."""
