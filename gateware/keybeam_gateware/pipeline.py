"""Delay of a value by whole cycles."""

from amaranth.hdl import Module, Signal, Value, ValueLike

__all__ = ["delayed"]


def delayed(m: Module, value: ValueLike, cycles: int) -> Value:
    """Give `value` as it was `cycles` cycles ago, through registers added to `m`."""
    value = Value.cast(value)
    for _ in range(cycles):
        later = Signal(value.shape())
        m.d.sync += later.eq(value)
        value = later
    return value
