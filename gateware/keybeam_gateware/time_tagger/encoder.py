"""Finds the latest edge in the picture that a delay line took."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.tagger import DELAY_LINE_TAPS, TAPS_PER_BLOCK, WINDOW_BLOCKS
from keybeam_gateware.pipeline import delayed

__all__ = ["PictureEncoder"]

_GROUP = 8
"""Blocks among which one stage chooses."""
_COUNT_BITS = TAPS_PER_BLOCK.bit_length()
_HALF = TAPS_PER_BLOCK // 2


def _first(flags):
    """Give the number of the lowest flag that is set, as a priority chain; 0 if none is."""
    number = 0
    for place in reversed(range(len(flags))):
        number = Mux(flags[place], place, number)
    return number


class PictureEncoder(wiring.Component):
    """Position of the latest edge in a picture: the number of taps that lie behind it in time.

    A clock edge that reaches neighbouring flip-flops at slightly different times, and taps that
    are not in the order of their delays, leave bubbles: single taps beside the edge that show the
    other level. So the edge is searched for where the majority of a block of 8 taps
    changes, and its position is the number of taps with the later level in four blocks
    around it: bubbles only change places there. Levels have to last for 20 taps or more on either
    side of an edge (about 0.5 ns); bubbles may reach 4 taps from it on both sides.

    An edge is not seen within the latest 4 and the earliest 12 taps.

    Parameters
    ----------
    taps : int
        Taps of the line, a multiple of 8.

    Members
    -------
    taps : In(taps)
        A picture every cycle, the latest tap lowest.
    rising, falling : In(1)
        Which edges are looked for.
    found : Out(1)
        There is such an edge, `LATENCY` cycles after its picture.
    code : Out
        Taps between the edge and the end of the picture, 4 to taps - 12.
    falls : Out(1)
        The edge is a falling one.
    """

    LATENCY = 10
    """Cycles from a picture to its code."""

    def __init__(self, taps: int = DELAY_LINE_TAPS) -> None:
        self._blocks = taps // TAPS_PER_BLOCK
        super().__init__(
            {
                "taps": In(taps),
                "rising": In(1),
                "falling": In(1),
                "found": Out(1),
                "code": Out(range(taps + 1)),
                "falls": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        counts, levels = self._count(m)
        chosen = self._edges(m, levels)
        # One stage for the edges, another for the choice within groups.
        counts = [delayed(m, count, 2) for count in counts]
        level = delayed(m, Cat(levels), 2)
        windows, members, falls, any_in_group = [], [], [], []
        for first in range(0, len(chosen), _GROUP):
            flags = chosen[first : first + _GROUP]
            member, present = Signal(range(_GROUP)), Signal()
            m.d.sync += [member.eq(_first(flags)), present.eq(flags.any())]
            blocks = range(first, first + len(flags))
            choices = [self._window(block, counts, level) for block in blocks]
            window, fall = Signal(WINDOW_BLOCKS * _COUNT_BITS), Signal()
            with m.Switch(member):
                for place, choice in enumerate(choices):
                    with m.Case(place):
                        m.d.sync += [window.eq(choice), fall.eq(~level[blocks[place]])]
            windows.append(window)
            falls.append(fall)
            members.append(delayed(m, member, 1))
            any_in_group.append(delayed(m, present, 1))
        group = Signal(range(len(windows)))
        m.d.comb += group.eq(_first(Cat(any_in_group)))
        found, window = Signal(), Signal(WINDOW_BLOCKS * _COUNT_BITS)
        fall, block = Signal(), Signal(range(self._blocks))
        m.d.sync += [found.eq(Cat(any_in_group).any())]
        with m.Switch(group):
            for place in range(len(windows)):
                with m.Case(place):
                    m.d.sync += [
                        window.eq(windows[place]),
                        fall.eq(falls[place]),
                        block.eq(Cat(members[place], group)),
                    ]
        self._add_up(m, found, window, fall, block)
        return m

    def _count(self, m):
        """Count the taps that are high in each block; and say which level has the majority."""
        # The first flip-flops of the taps may be metastable; these ones have a cycle to settle.
        settled = Signal(len(self.taps))
        m.d.sync += settled.eq(self.taps)
        counts, levels = [], []
        for block in range(self._blocks):
            halves = []
            for half in range(2):
                taps = settled.word_select(2 * block + half, _HALF)
                halves.append(Signal(range(_HALF + 1), name=f"half_{block}_{half}"))
                m.d.sync += halves[-1].eq(sum(taps))
            count = Signal(_COUNT_BITS, name=f"count_{block}")
            level = Signal(name=f"level_{block}")
            total = halves[0] + halves[1]
            m.d.sync += [count.eq(total), level.eq(total >= _HALF)]
            counts.append(count)
            levels.append(level)
        return counts, levels

    def _edges(self, m, levels):
        """Tell behind which blocks there is an edge that is looked for."""
        edges = Signal(self._blocks - WINDOW_BLOCKS + 2)
        for block in range(len(edges)):
            later, earlier = levels[block], levels[block + 1]
            m.d.sync += edges[block].eq(
                (self.rising & later & ~earlier) | (self.falling & ~later & earlier)
            )
        return edges

    def _window(self, block, counts, level):
        """Join the counts around an edge; before the latest block all is as in that."""
        before = Mux(level[0], TAPS_PER_BLOCK, 0) if block == 0 else counts[block - 1]
        return Cat(Cat(before)[:_COUNT_BITS], counts[block : block + WINDOW_BLOCKS - 1])

    def _add_up(self, m, found, window, fall, block):
        """Make the code of what was counted in the window."""
        counts = [window.word_select(place, _COUNT_BITS) for place in range(WINDOW_BLOCKS)]
        first, second = Signal(_COUNT_BITS + 1), Signal(_COUNT_BITS + 1)
        m.d.sync += [first.eq(counts[0] + counts[1]), second.eq(counts[2] + counts[3])]
        whole = TAPS_PER_BLOCK * WINDOW_BLOCKS
        total = Signal(range(whole + 1))
        fall_then = delayed(m, fall, 1)
        high = Signal(range(whole + 1))
        m.d.comb += high.eq(first + second)
        m.d.sync += total.eq(Mux(fall_then, whole - high, high))
        block_then = delayed(m, block, 2)
        m.d.sync += [
            self.code.eq((block_then << 3) + total - TAPS_PER_BLOCK),
            self.found.eq(delayed(m, found, 2)),
            self.falls.eq(delayed(m, fall, 2)),
        ]
