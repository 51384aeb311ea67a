"""What a random-number chip sends on every lane while its lanes are aligned."""

__all__ = ["TRAINING_PATTERN"]

TRAINING_PATTERN = 0x06B7
"""Sixteen bits, the earliest lowest, repeated. Any two rotations of it differ in at least eight
bits, so that neither a shift nor some wrong bits are mistaken; half of its bits are one."""
