"""The port between whatever makes time stamps and what queues them."""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from keybeam.protocol.numbers import FINE_BITS
from keybeam.protocol.records import COARSE_BITS

__all__ = ["EventSignature", "TimedEdgeSignature"]


class TimedEdgeSignature(wiring.Signature):
    """Edges of one channel with their times; it cannot wait.

    Members
    -------
    valid : Out(1)
        There is an edge.
    coarse : Out(40)
        Fabric clock cycle of the edge.
    fine : Out(14)
        Fine steps of 1/2^14 of a cycle after the beginning of `coarse`.
    """

    def __init__(self) -> None:
        super().__init__({"valid": Out(1), "coarse": Out(COARSE_BITS), "fine": Out(FINE_BITS)})


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
