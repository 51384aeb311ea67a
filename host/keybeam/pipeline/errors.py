"""What can go wrong in the processing of a recorded pass."""

from keybeam.errors import KeybeamError

__all__ = ["PipelineError", "SymbolRecordError"]


class PipelineError(KeybeamError):
    """A stage that could not go on."""


class SymbolRecordError(KeybeamError):
    """A file that is no record of a transmitter's symbols, or a damaged one."""
