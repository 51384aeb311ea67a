"""Cells that logic synthesis must not see: black boxes until just before placement."""

from dataclasses import dataclass

__all__ = ["Substitute"]


@dataclass(frozen=True)
class Substitute:
    """What stands for a black box in the part."""

    cell: str
    """Type of the cell."""
    parameters: dict[str, str]
    """Its parameters, as Yosys writes them in JSON."""
