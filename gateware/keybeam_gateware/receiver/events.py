"""The ports of the channel FIFOs: events in, records out."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.records import TIME_BITS, TYPE_SHIFT
from keybeam_gateware.time_tagger.events import EventSignature

__all__ = ["EventSignature", "HeadSignature"]


class HeadSignature(wiring.Signature):
    """The oldest record of a source of the merge.

    Members
    -------
    valid : Out(1)
        There is a record.
    key : Out(54)
        Time by which it takes its place: coarse time above fine time.
    record : Out(64)
        The record.
    pop : In(1)
        Takes the record. The next one, if it was there already, shows two cycles later.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "key": Out(TIME_BITS),
                "record": Out(TYPE_SHIFT + 4),
                "pop": In(1),
            }
        )
