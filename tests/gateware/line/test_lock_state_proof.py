"""No state of the sync-word extractor is dead: lock and search are reached from each of them."""

from amaranth.hdl import Assert, Cover, Elaboratable, Module, Mux, Signal
from amaranth.hdl._ast import AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware.line.lock_state import LockState, SyncState

MODULE = "keybeam_gateware.line.lock_state"
MOST_FOUND, MOST_MISSED = 16, 256
"""Words in a row that lock, and that end the lock, whatever the settings."""


class NoDeadState(Elaboratable):
    """Words found and missed in any order, settings changed at any time.

    After 16 words found in a row it is locked, whatever came before; after 256 missed ones it
    searches. While it verifies, a single miss makes it search; told to give up, it does. So from
    every state that it can be in, the lock and the search can be reached, and are when the line
    gives reason to.
    """

    def __init__(self, block=LockState, gap=4):
        self._block = block
        self._gap = gap

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block()
        state = block.state.as_value()
        wait = Signal(range(self._gap))
        m.d.sync += wait.eq(Mux(block.update | block.give_up, self._gap - 1, wait - (wait != 0)))
        m.d.comb += block.update.eq(AnySeq(1) & (wait == 0))
        for name in ("found", "jump", "told", "give_up", "verify_frames", "flywheel_frames"):
            port = getattr(block, name)
            m.d.comb += port.eq(AnySeq(len(port)))

        found, missed = Signal(range(MOST_FOUND + 1)), Signal(range(MOST_MISSED + 1))
        before, was_verifying, given_up = Signal(), Signal(), Signal()
        with m.If(block.update):
            m.d.sync += [
                found.eq(Mux(block.found, found + (found != MOST_FOUND), 0)),
                missed.eq(Mux(block.found, 0, missed + (missed != MOST_MISSED))),
            ]
        with m.If(block.give_up):
            m.d.sync += [found.eq(0), given_up.eq(1)]
        with m.Else():
            m.d.sync += given_up.eq(0)
        m.d.sync += [
            before.eq(block.update & ~block.found),
            was_verifying.eq(state == SyncState.VERIFY.value),
        ]
        with m.If(found == MOST_FOUND):
            m.d.comb += Assert(state == SyncState.LOCKED.value)
        with m.If(missed == MOST_MISSED):
            m.d.comb += Assert(state == SyncState.SEARCH.value)
        with m.If(given_up):
            m.d.comb += Assert(state == SyncState.SEARCH.value)
        with m.If(before & was_verifying):
            m.d.comb += Assert(state == SyncState.SEARCH.value)
        m.d.comb += Assert(state != 3)
        # What makes it inductive: the counts of the machine are at least those of the proof.
        with m.If(state == SyncState.LOCKED.value):
            m.d.comb += Assert(block.missed >= missed)
        with m.Elif(state == SyncState.VERIFY.value):
            m.d.comb += [Assert(missed == 0), Assert(block.verified + 1 >= found)]
            m.d.comb += Assert(block.verified != 15)
        with m.Else():
            m.d.comb += Assert(found == 0)
        # A count is ready when the next word comes.
        with m.If(wait == 0):
            m.d.comb += [
                Assert((state != SyncState.VERIFY.value) | (block.done == block.verified + 1)),
                Assert((state != SyncState.SEARCH.value) | (block.done == 0)),
                Assert((block.missed != 255) | block.spent | (state != SyncState.LOCKED.value)),
                Assert((block.done != 15) | block.enough),
            ]
        m.d.comb += [Cover(block.lost_lock), Cover(found == 3), Cover(block.event & block.jump)]
        return m


def test_lock_and_search_are_reached_from_every_state(tmp_path):
    assert_proved(NoDeadState(), depth=8, folder=tmp_path)
    assert_reached(NoDeadState(), depth=20, folder=tmp_path)


def test_a_candidate_that_would_be_waited_for_again_and_again_is_caught(tmp_path):
    faulty = mutated(
        MODULE,
        "with m.If(~self.found):\n                    m.d.sync += self.state.eq(SyncState.SEARCH)",
        "with m.If(~self.found):\n                    m.d.sync += self.state.eq(SyncState.VERIFY)",
    )
    assert_refuted(NoDeadState(faulty.LockState), depth=14, folder=tmp_path)


def test_a_flywheel_that_runs_for_ever_is_caught(tmp_path):
    # Exactly as many, not as many or more: a lower setting would never be met.
    faulty = mutated(MODULE, "spent.eq(missed >= self", "spent.eq(missed == self")
    assert_refuted(
        NoDeadState(faulty.LockState), depth=20, folder=tmp_path, by="block.missed != 255"
    )
