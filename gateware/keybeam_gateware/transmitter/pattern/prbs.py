"""Pseudo-random bits, a word at a time, for tests of the line from symbol map to detector."""

from functools import reduce
from operator import xor

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.modes import PRBS_TAPS, PatternMode

__all__ = ["PrbsSource"]


class PrbsSource(wiring.Component):
    """The sequences of `PRBS_TAPS`, in words, the earliest bit lowest.

    A sequence begins anew whenever its mode is taken up and whenever `run`
    goes high. Mode and `run` are those of the cycle after the one whose words
    are taken: they are one cycle ahead of `words`.

    Parameters
    ----------
    width : int
        Bits of a word.

    Members
    -------
    run : In(1)
        The pattern runs.
    mode : In(PatternMode)
        Which sequence, if it is one of the four modes.
    begins : Out(1)
        The next cycle is the first of a sequence, or has none.
    words : Out(stream.Signature(unsigned(width)))
        Words of the sequence of the mode of one cycle ago; always valid.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        super().__init__(
            {
                "run": In(1),
                "mode": In(PatternMode),
                "begins": Out(1),
                "words": Out(stream.Signature(unsigned(width), always_valid=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ran, before = Signal(), Signal(PatternMode)
        m.d.sync += [ran.eq(self.run), before.eq(self.mode)]
        m.d.comb += self.begins.eq(~ran | ~self.run | (before != self.mode))
        load = Signal()
        m.d.comb += load.eq(self.begins | self.words.ready)
        sequences = {mode: self._sequence(m, mode, taps, load) for mode, taps in PRBS_TAPS.items()}
        with m.If(load), m.Switch(self.mode):
            for mode, word in sequences.items():
                with m.Case(mode):
                    m.d.sync += self.words.payload.eq(word)
        return m

    def _sequence(self, m, mode, taps, load):
        """Give the next word of a sequence; it goes on when that is taken."""
        order = max(taps)
        ones = (1 << order) - 1
        after_first, first = _advance(ones, taps, self._width)
        state = Signal(order, init=after_first, name=f"state_{order}")
        word = Signal(self._width, init=first, name=f"word_{order}")
        next_state, next_word = _advance(state, taps, self._width)
        chosen = Signal(name=f"chosen_{order}")
        m.d.comb += chosen.eq(self.run & (self.mode == mode))
        with m.If(~chosen):
            m.d.sync += [state.eq(after_first), word.eq(first)]
        with m.Elif(load):
            m.d.sync += [state.eq(next_state), word.eq(next_word)]
        return word


def _advance(state, taps, width):
    """State and word that follow; the newest bit of the state is its highest."""
    order = max(taps)
    # Each bit of the word as a sum of bits of the state, kept as a mask.
    masks = [1 << place for place in range(order)]
    for _ in range(width):
        masks.append(masks[-taps[0]] ^ masks[-taps[1]])
    if isinstance(state, int):
        bits = [(state & mask).bit_count() & 1 for mask in masks]
        number = sum(bit << place for place, bit in enumerate(bits))
        return number >> width, number >> order
    sums = [
        reduce(xor, (state[place] for place in range(order) if mask >> place & 1)) for mask in masks
    ]
    return Cat(sums[-order:]), Cat(sums[order:])
