"""Which of two times is the earlier one."""

from amaranth.hdl import Mux, Value

__all__ = ["is_not_later"]

_PARTS = 3


def is_not_later(one: Value, other: Value) -> Value:
    """Tell whether one time is not later than another.

    They are compared modulo their range, by the sign of their difference: in three parts at once,
    for a carry through a whole time takes too long. Each part tells how it goes on either way, and
    one table of five inputs chooses.

    Parameters
    ----------
    one, other : Value
        Times of equal width, at least 6 bits.

    Returns
    -------
    Value
        Of one bit.
    """
    size = -(-len(one) // _PARTS)
    (low, middle, high), (other_low, other_middle, other_high) = (
        [time[begin : begin + size] for begin in range(0, len(time), size)] for time in (one, other)
    )
    borrows = _is_negative(other_middle - middle) | (
        ~_is_negative(middle - other_middle) & _is_negative(other_low - low)
    )
    # After a borrow the difference is one less, which is its complement the other way round.
    later, earlier = ((a - b)[len(high) - 1] for a, b in ((other_high, high), (high, other_high)))
    return Mux(borrows, earlier, ~later)


def _is_negative(difference: Value) -> Value:
    return difference[len(difference) - 1]
