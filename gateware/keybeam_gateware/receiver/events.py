"""The port between whatever makes time stamps and the channel FIFOs."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FINE_BITS
from keybeam.protocol.records import COARSE_BITS, TIME_BITS, TYPE_SHIFT

__all__ = ["EventSignature", "HeadSignature"]


class EventSignature(wiring.Signature):
    """Events of one channel with their times, as a converter makes them; it cannot wait.

    Times never run backwards within a channel.

    Members
    -------
    valid : Out(1)
        There is an event, or several that stand together.
    coarse : Out(40)
        Fabric clock cycle of the event.
    fine : Out(14)
        Fine steps of 1/2^14 of a cycle after the beginning of `coarse`.
    weight : Out(2)
        Events that this one stands for, 1 to 3. More than one: the converter could not keep them
        apart, and all of them count as lost.
    horizon : Out(40)
        No event after this cycle of the stream is earlier than the beginning of this coarse time;
        always valid.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "coarse": Out(COARSE_BITS),
                "fine": Out(FINE_BITS),
                "weight": Out(2),
                "horizon": Out(COARSE_BITS),
            }
        )


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
