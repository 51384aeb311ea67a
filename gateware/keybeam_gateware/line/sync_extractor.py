"""Search for the sync word, verification, lock and flywheel."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.downlink import SYNC_WORD
from keybeam.protocol.numbers import FRAME_BITS
from keybeam.protocol.records import COARSE_BITS
from keybeam_gateware.pipeline import delayed, earlier_cycle

from .correlator import SYNC_BITS, SyncCorrelator
from .data_recovery import DataRecovery, recovered_bits
from .lock_state import LockState, SyncState

__all__ = ["BIT_NUMBER_BITS", "SyncExtractor", "SyncState"]

BIT_NUMBER_BITS = 16
"""Line bits are numbered from 1 on modulo 2^16, enough for twice a frame to either side."""
_SUM_BITS = 6
"""Bits of a cycle's number to which less than 8 cycles are added at once."""


class SyncExtractor(wiring.Component):
    """Finds the sync word in the recovered bits and keeps hold of it.

    While searching, a word with at most `search_tolerance` wrong bits is a candidate. It must come
    again `verify_frames` times at exactly the length of a frame, with at most `lock_tolerance`
    wrong bits; then the extractor is locked and reports a sync event for this and every further
    frame. When locked, the word may come a bit early or late, which re-aligns the frame. When it
    does not come, its place and time go on by the recovered bit clock (flywheel); after more than
    `flywheel_frames` words missed in a row the search begins again.

    After a fade the recovered bits are not in step any more. So with every word missed the place
    in which the next one is looked for grows by four bits to either side; out of its usual place it
    must have at most `search_tolerance` wrong bits. One that comes after its frame was reported by
    the flywheel re-aligns only. So every frame is reported once, and a frame counter that
    goes on by one with each event knows after a fade how many have passed.

    The time of a word is that of the first sample of its first one (after zeros, so there is an
    edge) less as many bits of four samples as there are zeros: the first sample of the word's
    first bit.

    Parameters
    ----------
    frame_bits : int
        Line bits of a frame, 256 to 16384.

    Members
    -------
    recovered : In(recovered_bits())
        Line bits, straight from the data recovery.
    cycle : In(40)
        Number of the cycle whose samples enter the data recovery now.
    word, short : In(64), In(1)
        The sync word, see `SyncCorrelator`.
    search_tolerance, lock_tolerance : In(4)
        Wrong bits allowed in a sync word.
    verify_frames : In(4)
        Further words that a candidate needs, 0 to 15.
    flywheel_frames : In(8)
        Words that may be missed in a row.
    give_up : In(1)
        Search anew: the headers behind the words are none.
    event : Out(1)
        High for a cycle a frame, when locked.
    coarse, phase : Out(40), Out(2)
        Cycle and sample within it of the word's first bit; valid with `event`.
    flywheel : Out(1)
        The word of `event` was not seen.
    first_bit : Out(16)
        Number of the line bit after the word; valid with `event`.
    state : Out(SyncState)
        What the extractor does.
    lost_lock : Out(1)
        High for the cycle in which the lock is given up.
    """

    def __init__(self, *, frame_bits: int = FRAME_BITS) -> None:
        self._frame_bits = frame_bits
        super().__init__(
            {
                "recovered": In(recovered_bits()),
                "cycle": In(COARSE_BITS),
                "word": In(SYNC_BITS, init=SYNC_WORD),
                "short": In(1),
                "search_tolerance": In(4),
                "lock_tolerance": In(4),
                "verify_frames": In(4),
                "flywheel_frames": In(8),
                "give_up": In(1),
                "event": Out(1),
                "coarse": Out(COARSE_BITS),
                "phase": Out(2),
                "flywheel": Out(1),
                "first_bit": Out(BIT_NUMBER_BITS),
                "state": Out(SyncState),
                "lost_lock": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.correlator = correlator = SyncCorrelator()
        wiring.connect(m, wiring.flipped(self.recovered), correlator.recovered)
        m.d.comb += [correlator.word.eq(self.word), correlator.short.eq(self.short)]
        m.submodules.lock = lock = LockState()
        searching, locked = Signal(), Signal()
        m.d.comb += [
            searching.eq(self.state == SyncState.SEARCH),
            locked.eq(self.state == SyncState.LOCKED),
            lock.verify_frames.eq(self.verify_frames),
            lock.flywheel_frames.eq(self.flywheel_frames),
            lock.give_up.eq(self.give_up),
            self.state.eq(lock.state),
            self.event.eq(lock.event),
            self.lost_lock.eq(lock.lost_lock),
        ]
        m.d.sync += correlator.tolerance.eq(
            Mux(searching, self.search_tolerance, self.lock_tolerance)
        )
        m.d.comb += correlator.strict_tolerance.eq(self.search_tolerance)

        # Stage 1, beside the correlator's outputs: number of the newest bit. Stage 2: how far that
        # is from the bit which should end the next word.
        upcoming = Signal(2)
        number, expected = Signal(BIT_NUMBER_BITS), Signal(BIT_NUMBER_BITS)
        distance = Signal(signed(BIT_NUMBER_BITS))
        m.d.comb += upcoming.eq(delayed(m, self.recovered.count, correlator.LATENCY - 1))
        m.d.sync += number.eq(number + upcoming)
        m.d.sync += distance.eq(number - expected)
        # Stage 3: what matters of it.
        at = {place: Signal(name=f"at_{place + 1}") for place in range(-1, 3)}
        m.d.sync += [flag.eq(distance == place) for place, flag in at.items()]
        beyond, near, wide = Signal(), Signal(), Signal()
        reached = Signal.like(distance)
        m.d.comb += reached.eq(distance + lock.reach)
        m.d.sync += [
            wide.eq(locked & (lock.reach != 1)),
            beyond.eq(distance >= 2),
            near.eq(wide & (distance < 0) & (reached >= 0)),
        ]
        match, strict = delayed(m, correlator.match, 2), delayed(m, correlator.strict, 2)
        count = delayed(m, correlator.count, 2)
        offsets, origin = self._time_words(m, correlator)

        # Stage 4: what the two windows, ending with the last bit but one and the last, mean.
        hit = [Signal(name=f"hit_{window}") for window in range(2)]
        wide_hit = [Signal(name=f"wide_hit_{window}") for window in range(2)]
        centre = [Signal(name=f"centre_{window}") for window in range(2)]
        past = Signal()
        for window, behind in enumerate((1, 0)):
            beside = at[behind - 1] | at[behind + 1]
            fits = searching | at[behind] | (locked & beside)
            m.d.sync += [
                hit[window].eq(match[window] & fits),
                wide_hit[window].eq(strict[window] & (near | (beyond & wide))),
                centre[window].eq((count > behind) & at[behind]),
            ]
        m.d.sync += past.eq(beyond & ~searching)
        word = delayed(m, strict, 1)
        last_next, previous_next = Signal(BIT_NUMBER_BITS), Signal(BIT_NUMBER_BITS)
        expected_next = Signal(BIT_NUMBER_BITS)
        m.d.sync += [
            last_next.eq(delayed(m, number, 2) + self._frame_bits),
            previous_next.eq(delayed(m, number, 2) + (self._frame_bits - 1)),
            expected_next.eq(expected + self._frame_bits),
        ]

        # Stage 5: decide. After a decision the pipeline still holds the old expectation for a
        # while: no word can follow within those few bits, but that of a frame just given up.
        settling, settled = Signal(4), Signal(init=1)
        m.d.sync += [settling.eq(settling << 1), settled.eq(~settling[:-1].any())]
        late = Signal(range(1 << len(lock.reach)))
        late_open = Signal()
        taken = [Signal(name=f"taken_{window}") for window in range(2)]
        m.d.comb += [
            taken[w].eq((settled & (hit[w] | wide_hit[w])) | (late_open & word[w]))
            for w in range(2)
        ]
        found, update = Signal(), Signal()
        m.d.comb += [
            found.eq(taken[0] | taken[1]),
            update.eq(found | (settled & past)),
            lock.update.eq(update),
            lock.found.eq(found),
            lock.jump.eq(~(settled & (hit[0] | hit[1]))),
            lock.told.eq(late_open),
        ]
        with m.If(update):
            m.d.sync += [settling.eq(1), settled.eq(0), self.flywheel.eq(~found)]
            with m.If(taken[0]):
                m.d.sync += expected.eq(previous_next)
            with m.Elif(taken[1]):
                m.d.sync += expected.eq(last_next)
            with m.Else():
                m.d.sync += expected.eq(expected_next)
        m.d.comb += self.first_bit.eq(expected - (self._frame_bits - 1))
        # A word that is late may come as long after the flywheel spoke as the place is wide.
        with m.If(update):
            m.d.sync += [late.eq(lock.reach), late_open.eq(wide & ~found)]
        with m.Elif(late_open):
            m.d.sync += [late.eq(late - 1), late_open.eq(late != 0)]
        with m.If(self.give_up):
            m.d.sync += [settling.eq(1), settled.eq(0), late_open.eq(0)]

        mark = [Signal(name=f"mark_{window}") for window in range(2)]
        m.d.comb += [mark[w].eq(settled & (taken[w] | (centre[w] & ~found))) for w in range(2)]
        # Times of both windows are there before it is known which one counts, and the last one that
        # did is kept without a signal that would have to reach all of its bits.
        coarse, phase = Signal(COARSE_BITS), Signal(2)
        kept = Signal(COARSE_BITS), Signal(2)
        m.d.comb += [coarse.eq(kept[0]), phase.eq(kept[1])]
        # Upper bits are there with and without a carry from the few that are added up.
        upper, upper_next = (Signal(COARSE_BITS - _SUM_BITS) for _ in range(2))
        m.d.sync += [upper.eq(origin[_SUM_BITS:]), upper_next.eq(origin[_SUM_BITS:] + 1)]
        for window in (1, 0):
            marked = Signal(name=f"marked_{window}")
            begins = Signal(_SUM_BITS + 1, name=f"begins_{window}")
            sample = Signal(2, name=f"sample_{window}")
            m.d.sync += [
                marked.eq(mark[window]),
                begins.eq(origin[:_SUM_BITS] + offsets[window][2:]),
                sample.eq(offsets[window][:2]),
            ]
            with m.If(marked):
                above = Mux(begins[_SUM_BITS], upper_next, upper)
                m.d.comb += [coarse.eq(Cat(begins[:_SUM_BITS], above)), phase.eq(sample)]
        m.d.sync += [kept[0].eq(coarse), kept[1].eq(phase)]
        m.d.comb += [self.coarse.eq(coarse), self.phase.eq(phase)]
        return m

    def _time_words(self, m: Module, correlator: SyncCorrelator) -> tuple[list[Signal], Signal]:
        """Make the full times of the windows from the four bits that went along with their bits.

        Let c be the cycle in which a window's last bit was sampled. The bit in the place of the
        word's first one, after z zeros, began at sample 4c less 4 (SYNC_BITS - 1 - z), give or take
        7: that makes its number unique modulo 16.

        Returns
        -------
        offsets : list of Signal
            For the windows `previous` and `last`, samples from `origin` to the first of the word.
        origin : Signal
            A cycle before the word. All belong to stage 4.
        """
        # Cycles from sampling to the correlator's outputs, delayed by two; stage 4 is a cycle on.
        age = DataRecovery.LATENCY + correlator.LATENCY + 2
        earliest = -4 * (SYNC_BITS - 1) - 7
        # First sample of the word = 4c + earliest + difference.
        before, shift = divmod(earliest, 4)
        origin = earlier_cycle(m, self.cycle, 1 + age - before)
        turns = Signal(2)
        m.d.comb += turns.eq(self.cycle + correlator.zeros)
        offsets = []
        for window in range(2):
            difference = Signal(4, name=f"difference_{window}")
            offset = Signal(5, name=f"offset_{window}")
            start = delayed(m, correlator.starts[window], 2)
            m.d.comb += difference.eq(start - (turns << 2) - (earliest - 4 * age))
            m.d.sync += offset.eq(difference + shift)
            offsets.append(offset)
        return offsets, origin
