"""Edges of a signal, one for each time that its level changes, from the pictures of delay lines."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.tagger import DELAY_LINE_TAPS
from keybeam_gateware.pipeline import delayed

from .encoder import PictureEncoder

__all__ = ["EdgeFinder"]


class EdgeFinder(wiring.Component):
    """Codes of the edges in a signal that one or two delay lines look at.

    A delay line lasts longer than a clock period, so that no edge falls between two pictures. An
    edge shortly before a clock edge so is seen twice: near the end of one picture, and
    near the beginning of the next one. There is never a need to decide which of the two cycles it
    belongs to, since both give the same time: the one that comes second, at a code larger by half
    a line or more, is left out.

    With two lines the code is the sum of their codes: as their taps do not coincide, it has finer
    steps. An edge counts in the first cycle in which both lines see it: their codes differ by less
    than a quarter of a line.

    Edges a period (6.4 ns) and 0.1 ns apart are always kept apart. Of edges closer to each other
    the latest in a picture is found.

    Parameters
    ----------
    chains : int
        Delay lines, 1 or 2.
    taps : int
        Taps of each.

    Members
    -------
    pictures : In(taps).array(chains)
        Picture of each line in every cycle.
    rising, falling : In(1)
        Which edges are looked for.
    found : Out(1)
        There is an edge, `LATENCY` cycles after its picture.
    code : Out
        Sum of the codes: larger for earlier edges.
    falls : Out(1)
        It is a falling one.
    """

    LATENCY = PictureEncoder.LATENCY + 4
    """Cycles from a picture to its edge."""

    def __init__(self, *, chains: int = 1, taps: int = DELAY_LINE_TAPS) -> None:
        self._chains, self._taps = chains, taps
        super().__init__(
            {
                "pictures": In(taps).array(chains),
                "rising": In(1),
                "falling": In(1),
                "found": Out(1),
                "code": Out(range(chains * taps + 1)),
                "falls": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        encoders = [PictureEncoder(self._taps) for _ in range(self._chains)]
        for number, encoder in enumerate(encoders):
            m.submodules[f"encoder_{number}"] = encoder
            m.d.comb += [
                encoder.taps.eq(self.pictures[number]),
                encoder.rising.eq(self.rising),
                encoder.falling.eq(self.falling),
            ]
        first, last = encoders[0], encoders[-1]
        # Close to the beginning of a picture, one line may show an edge that the other does not,
        # and the other the edge before.
        apart = Signal(range(-self._taps, self._taps + 1))
        together = (apart < self._taps // 4) & (apart >= -self._taps // 4)
        both, sum_ = Signal(), Signal.like(self.code)
        found, code, falls = Signal(), Signal.like(self.code), Signal()
        m.d.sync += [
            apart.eq(first.code - last.code),
            both.eq(first.found & last.found & (first.falls == last.falls)),
            sum_.eq(sum(encoder.code for encoder in encoders)),
            found.eq(both & together),
            code.eq(sum_),
            falls.eq(delayed(m, first.falls, 1)),
        ]
        step = Signal(range(-self._chains * self._taps, self._chains * self._taps + 1))
        comparable = Signal()
        m.d.sync += [
            step.eq(code - delayed(m, code, 1)),
            comparable.eq(delayed(m, found, 1) & (delayed(m, falls, 1) == falls)),
        ]
        again = comparable & (step >= self._chains * self._taps // 2)
        m.d.sync += [
            self.found.eq(delayed(m, found, 1) & ~again),
            self.code.eq(delayed(m, code, 1)),
            self.falls.eq(delayed(m, falls, 1)),
        ]
        return m
