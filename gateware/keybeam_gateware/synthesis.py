"""What logic synthesis has to know of the gateware."""

__all__ = ["APART"]

APART = "apart_"
"""What the names of blocks begin with that have to be synthesised apart."""
