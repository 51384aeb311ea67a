"""Recovery of line bits from four samples a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SAMPLE_NUMBER_BITS", "DataRecovery", "recovered_bits"]

SAMPLE_NUMBER_BITS = 4
"""Bits of a sample number that go along with every recovered bit."""


def recovered_bits() -> wiring.Signature:
    """Line bits as they leave the data recovery.

    Members
    -------
    count : Out(2)
        Bits recovered in this cycle: 0, 1 or 2.
    bits : Out(2)
        The bits, the earlier one lowest.
    starts : Out(ArrayLayout(4, 2))
        Number of the first sample of each bit, modulo 16.
    """
    return wiring.Signature(
        {
            "count": Out(range(3)),
            "bits": Out(2),
            "starts": Out(data.ArrayLayout(unsigned(SAMPLE_NUMBER_BITS), 2)),
        }
    )


class DataRecovery(wiring.Component):
    """Samples bits in their middle, to half a sample, by the votes of the edges.

    A bit lasts four samples, nominally. `phase` says, in half samples, where bits begin: after
    sample p-1 in the first half of the time to sample p (2p), or in the second (2p+1). A bit is
    read one sample after p in the first case, two after it in the second: at least 1.5 samples
    away from either of its borders.

    Every edge votes: one that comes after p says that the phase is late, one before it that it is
    early. One at p itself speaks against leaving that sample, so it takes back votes for that; it
    does not tell one half from the other, which only jitter does. When one side leads by
    `threshold` votes the phase moves by half a sample. If reading so crosses the border of a cycle,
    one cycle has no bit or two bits, which follows any offset of the two clocks.

    The start of a bit is the last edge within three samples before it is read, and where there is
    none, because the bit equals the one before, the sample before it is read. What `cycle` n
    brings in leaves `LATENCY` cycles later.

    Parameters
    ----------
    signal_timeout : int
        Cycles without any edge after which the signal counts as lost.

    Members
    -------
    line : In(4)
        Samples of the line, earliest lowest.
    cycle : In(2)
        Number of the cycle in which `line` was sampled, modulo 4.
    threshold : In(5)
        Lead of votes that moves the phase by half a sample, 1 to 31 (0 works as 1).
    recovered : Out(recovered_bits())
        The line bits.
    slipped : Out(1)
        This cycle had no bit or two bits.
    signal : Out(1)
        Edges were seen within the last `signal_timeout` cycles.
    """

    LATENCY = 4

    def __init__(self, *, signal_timeout: int = 128) -> None:
        self._signal_timeout = signal_timeout
        super().__init__(
            {
                "line": In(4),
                "cycle": In(2),
                "threshold": In(5),
                "recovered": Out(recovered_bits()),
                "slipped": Out(1),
                "signal": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        following, now, before = Signal(4), Signal(4), Signal(4)
        m.d.sync += [following.eq(self.line), now.eq(following), before.eq(now)]
        # Samples -4 to 4 of the cycle in `now`; edge k lies between samples k-1 and k.
        window = Cat(before, now, following[0])
        sample = {place - 4: window[place] for place in range(9)}
        edge = {place: sample[place] ^ sample[place - 1] for place in range(-3, 5)}

        # Bits are read one sample after `place`.
        place_now, skip, double = Signal(2), Signal(), Signal()
        self._choose_phase(m, Cat(edge[k] for k in range(4)), place_now, skip, double)
        self._watch_signal(m, Cat(edge[k] for k in range(4)).any())

        # Stage 1: first sample of a bit that is read one sample after each place.
        number = Signal(2)
        m.d.sync += number.eq(self.cycle - 1)
        starts, values = {}, {}
        for place in range(-1, 4):
            starts[place] = Signal(SAMPLE_NUMBER_BITS, name=f"start_{place + 1}")
            values[place] = Signal(name=f"value_{place + 1}")
            base = Cat(0, 0, number) + place
            m.d.sync += [starts[place].eq(base), values[place].eq(sample[place + 1])]
            with m.If(edge[place + 1]):
                m.d.sync += starts[place].eq(base + 1)
            with m.Elif(~edge[place] & edge[place - 1]):
                m.d.sync += starts[place].eq(base - 1)
            with m.Elif(~edge[place] & edge[place - 2]):
                m.d.sync += starts[place].eq(base - 2)
        chosen, skipped, doubled = Signal(2), Signal(), Signal()
        m.d.sync += [chosen.eq(place_now), skipped.eq(skip), doubled.eq(double)]

        # Stage 2: the bit or bits of the chosen phase.
        out = self.recovered
        m.d.sync += [
            out.count.eq(1),
            out.bits[1].eq(values[3]),
            out.starts[1].eq(starts[3]),
            self.slipped.eq(skipped | doubled),
        ]
        with m.Switch(chosen):
            for place in range(4):
                with m.Case(place):
                    m.d.sync += [
                        out.bits[0].eq(values[place]),
                        out.starts[0].eq(starts[place]),
                    ]
        with m.If(doubled):
            m.d.sync += [
                out.count.eq(2),
                out.bits[0].eq(values[-1]),
                out.starts[0].eq(starts[-1]),
            ]
        with m.If(skipped):
            m.d.sync += out.count.eq(0)
        return m

    def _choose_phase(
        self, m: Module, edges: Cat, place: Signal, skip: Signal, double: Signal
    ) -> None:
        """Let the edges of the cycle vote, and move the phase."""
        phase = Signal(3)
        agree, late, early, from_early = Signal(), Signal(), Signal(), Signal()
        with m.Switch(phase[1:]):
            for sample in range(4):
                with m.Case(sample):
                    after, opposite, ahead = (edges[(sample + i) % 4] for i in (1, 2, 3))
                    # An edge opposite to the phase may belong to either side. It goes with the last
                    # one that was not, so that both together lead out of there.
                    m.d.sync += [
                        agree.eq(edges[sample]),
                        late.eq(after | (opposite & ~from_early)),
                        early.eq(ahead | (opposite & from_early)),
                    ]
                    # In noise both come at once, which must not favour either.
                    with m.If(after ^ ahead):
                        m.d.sync += from_early.eq(ahead)
        votes, move_later, move_earlier = Signal(signed(7)), Signal(), Signal()
        upper, lower = Signal(signed(7), init=1), Signal(signed(7), init=-1)
        lead = Mux(self.threshold == 0, 1, self.threshold)
        m.d.sync += [upper.eq(lead), lower.eq(-lead)]
        # Taken a cycle later: the vote of that cycle does not count.
        m.d.sync += [
            move_later.eq(~move_later & (votes >= upper)),
            move_earlier.eq(~move_earlier & (votes <= lower)),
        ]
        m.d.comb += place.eq((phase + 1)[1:])
        m.d.sync += [skip.eq(0), double.eq(0)]
        with m.If(move_later):
            m.d.sync += [votes.eq(0), phase.eq(phase + 1), skip.eq(phase == 6)]
        with m.Elif(move_earlier):
            m.d.sync += [votes.eq(0), phase.eq(phase - 1), double.eq(phase == 7)]
        with m.Elif(late & ~early):
            m.d.sync += votes.eq(votes + 1)
        with m.Elif(early & ~late):
            m.d.sync += votes.eq(votes - 1)
        with m.Elif(agree & (votes > 0) & phase[0]):
            m.d.sync += votes.eq(votes - 1)
        with m.Elif(agree & (votes < 0) & ~phase[0]):
            m.d.sync += votes.eq(votes + 1)

    def _watch_signal(self, m: Module, any_edge: Signal) -> None:
        """Count the cycles without an edge."""
        quiet = Signal(range(self._signal_timeout + 1), init=self._signal_timeout)
        seen = Signal()
        m.d.sync += seen.eq(any_edge)
        m.d.sync += self.signal.eq(quiet != self._signal_timeout)
        with m.If(seen):
            m.d.sync += quiet.eq(0)
        with m.Elif(quiet != self._signal_timeout):
            m.d.sync += quiet.eq(quiet + 1)
