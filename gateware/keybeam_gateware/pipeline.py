"""Delay of a value by whole cycles, and numbers of cycles that have passed."""

from amaranth.hdl import Cat, Module, Signal, Value, ValueLike

__all__ = ["delayed", "earlier_cycle"]


def delayed(m: Module, value: ValueLike, cycles: int) -> Value:
    """Give `value` as it was `cycles` cycles ago, through registers added to `m`."""
    value = Value.cast(value)
    for _ in range(cycles):
        later = Signal(value.shape())
        m.d.sync += later.eq(value)
        value = later
    return value


def earlier_cycle(m: Module, cycle: Value, age: int) -> Value:
    """Give the number of the cycle `age` cycles ago, through registers added to `m`.

    The number of the present cycle rises by one in every cycle. The lower half is subtracted from
    before the upper one, so that no carry runs through all bits.

    Parameters
    ----------
    m : Module
        Where registers are added.
    cycle : Value
        Number of the present cycle.
    age : int
        At least 2.
    """
    half = len(cycle) // 2
    low, high = Signal(half + 1), Signal(len(cycle) - half)
    earlier = Signal(len(cycle))
    m.d.sync += [
        low.eq(cycle[:half] - (age - 2)),
        high.eq(cycle[half:]),
        earlier.eq(Cat(low[:half], high - low[half])),
    ]
    return earlier
