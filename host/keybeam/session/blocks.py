"""Which packets may share a privacy-amplification block: so many that follow one another.

It is settled by the packets' numbers alone, before anything of them is disclosed, so that both
ends know when the last pulse of a block has been received.
"""

from dataclasses import dataclass

__all__ = ["BlockPlan"]


@dataclass(frozen=True)
class BlockPlan:
    """The division of packets into blocks; packets that fail are missing from theirs.

    Attributes
    ----------
    size : int
        Packets of a block, 1 or more. The last block of a pass may have fewer.
    """

    size: int

    def block_of(self, packet: int) -> int:
        """Block to which a packet belongs; both count from 0."""
        return packet // self.size

    def end(self, packet: int) -> int:
        """Give the number of the first packet after the block of this one."""
        return (self.block_of(packet) + 1) * self.size

    def dropped(self, good: list[int], packets: int) -> int:
        """Packets of a block that were dropped.

        Parameters
        ----------
        good : list of int
            The packets that were not, at least one, all of one block.
        packets : int
            Packets of the whole pass so far; the block is complete, or they are all there will be.
        """
        end = min(self.end(good[0]), packets)
        return end - self.block_of(good[0]) * self.size - len(good)
