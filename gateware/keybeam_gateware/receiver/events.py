"""The ports of the channel FIFOs: events in, records out."""

from amaranth.lib import data

from keybeam.protocol.records import TIME_BITS, TYPE_SHIFT
from keybeam_gateware.time_tagger.events import EventSignature

__all__ = ["EventSignature", "MergeItem"]


class MergeItem(data.Struct):
    """A record on its way through the merge.

    Attributes
    ----------
    record : 64 bits
        The record.
    follows : 1 bit
        It has no time and directly follows the item before it of the same source. Otherwise its
        body is the time by which it takes its place.
    silent : 1 bit
        It only gives the time of what follows it, and is no record.
    """

    record: TYPE_SHIFT + 4
    follows: 1
    silent: 1

    @property
    def time(self):
        """Time by which it takes its place: coarse time above fine time."""
        return self.record[:TIME_BITS]
