"""What can go wrong with a sweep."""

from keybeam.errors import KeybeamError

__all__ = ["SweepError"]


class SweepError(KeybeamError):
    """A sweep that cannot be begun, or that loses its cluster."""
