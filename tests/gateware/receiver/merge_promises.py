"""What streams of items promise each other in the merge, for its proofs."""

from dataclasses import dataclass

from amaranth.hdl import Signal

from keybeam.protocol.records import TIME_BITS
from keybeam_gateware.receiver.events import MergeItem

PLACE_BITS = 10
"""Bits of a time here; `test_merge` has whole ones."""


@dataclass
class Promises:
    """What a stream promises for a bound; `before` is the bound of the cycle before."""

    kept: list
    """Statements that hold in every cycle."""
    last: MergeItem
    """Item that was taken last."""
    valid_before: Signal
    taken_before: Signal


def place(item):
    """Time by which an item takes its place.

    It also stands in the bits above the body, since the body of one that follows another may be
    anything.
    """
    return item.record[TIME_BITS : TIME_BITS + PLACE_BITS]


def is_behind(item, other):
    """Whether an item that follows another follows this one, as far as the place tells."""
    return (place(item) == place(other)) & (item.silent == other.silent)


def promises(m, name, port, bound, before, shift=0):
    """Tell what a stream promises for a bound; a time has `shift` bits below its place."""
    last = Signal(MergeItem, name=f"{name}_last")
    offered = Signal(MergeItem, name=f"{name}_offered")
    valid_before, taken_before = (
        Signal(name=f"{name}_{what}_before") for what in ("valid", "taken")
    )
    item, taken, is_new = port.payload, port.valid & port.ready, Signal(name=f"{name}_is_new")
    m.d.sync += [valid_before.eq(port.valid), taken_before.eq(taken), offered.eq(item)]
    with m.If(taken):
        m.d.sync += last.eq(item)
    m.d.comb += is_new.eq(port.valid & (~valid_before | taken_before))
    kept = [
        ~port.valid | (place(item) < bound),
        ~port.valid | item.follows | (item.time == place(item) << shift),
        # A stream: what is offered stays.
        ~valid_before | taken_before | (port.valid & (item.as_value() == offered.as_value())),
        ~is_new | (place(item) >= place(last)),
        ~is_new | valid_before | (place(item) >= before),
        ~is_new | ~item.follows | (taken_before & is_behind(item, last)),
    ]
    return Promises(kept, last, valid_before, taken_before)
