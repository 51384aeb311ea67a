"""What the sync-word extractor believes: searching, verifying, locked."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.downlink import SYNC_REACH_STEP

__all__ = ["LockState", "SyncState"]

REACH_BITS = 10


class SyncState(enum.Enum, shape=2):
    """State of the sync-word extractor."""

    SEARCH = 0
    """Compares at every bit."""
    VERIFY = 1
    """A word was seen; waits for it to come again exactly one frame later."""
    LOCKED = 2
    """Expects the word once a frame, one bit early or late at most."""


class LockState(wiring.Component):
    """State machine of the sync-word extractor; it moves once for every word found or missed.

    From whatever state, `verify_frames` + 1 words found in a row lead to the lock, and so many
    missed ones as `flywheel_frames` + 1, at most 256, to the search. A word found out of its place
    after a miss (a jump) is believed only if the next one confirms it: a miss right after it ends
    the lock.

    Members
    -------
    update : In(1)
        A word was found or missed; at least four cycles after the last `update` or `give_up`.
    found : In(1)
        It was found.
    jump : In(1)
        It was found more than a bit from where it was expected.
    told : In(1)
        The frame it begins has been reported already, as missed.
    give_up : In(1)
        Search anew: what is locked to is not the sync word.
    verify_frames : In(4)
        Further words that a candidate needs, 0 to 15.
    flywheel_frames : In(8)
        Words that may be missed in a row.
    state : Out(SyncState)
        The state.
    event : Out(1)
        A frame begins, as far as is known. In the cycle after `update`.
    lost_lock : Out(1)
        The lock was given up. In the cycle after `update` or `give_up`.
    reach : Out(10)
        Bits from the expected place in which to look for the word: 1, and more after misses.
    """

    update: In(1)
    found: In(1)
    jump: In(1)
    told: In(1)
    give_up: In(1)
    verify_frames: In(4)
    flywheel_frames: In(8)
    state: Out(SyncState)
    event: Out(1)
    lost_lock: Out(1)
    reach: Out(REACH_BITS, init=1)

    def __init__(self) -> None:
        self.verified, self.missed = Signal(4), Signal(8)
        # A word comes long after the counts have changed.
        self.done, self.enough, self.spent = Signal(4), Signal(), Signal()
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        verified, missed, done = self.verified, self.missed, self.done
        enough, spent = self.enough, self.spent
        m.d.sync += [
            done.eq(Mux(self.state == SyncState.SEARCH, 0, verified + 1)),
            enough.eq(done >= self.verify_frames),
            spent.eq(missed >= self.flywheel_frames),
            self.event.eq(0),
            self.lost_lock.eq(0),
        ]
        with m.If(self.update), m.Switch(self.state):
            with m.Case(SyncState.SEARCH, SyncState.VERIFY):
                m.d.sync += [verified.eq(done), missed.eq(0), self.reach.eq(1)]
                with m.If(~self.found):
                    m.d.sync += self.state.eq(SyncState.SEARCH)
                with m.Elif(enough):
                    m.d.sync += [self.state.eq(SyncState.LOCKED), self.event.eq(1)]
                with m.Else():
                    m.d.sync += self.state.eq(SyncState.VERIFY)
            with m.Default():
                with m.If(self.found):
                    m.d.sync += [
                        missed.eq(Mux(self.jump, self.flywheel_frames, 0)),
                        self.reach.eq(1),
                        self.event.eq(~self.told),
                    ]
                with m.Elif(spent):
                    m.d.sync += [self.state.eq(SyncState.SEARCH), self.lost_lock.eq(1)]
                with m.Else():
                    m.d.sync += [
                        missed.eq(missed + 1),
                        self.reach.eq(self.reach + SYNC_REACH_STEP),
                        self.event.eq(1),
                    ]
        with m.If(self.give_up):
            m.d.sync += [self.state.eq(SyncState.SEARCH), self.event.eq(0)]
            m.d.sync += self.lost_lock.eq(self.state == SyncState.LOCKED)
        return m
