"""An answer of the state log is never a wrong symbol: proved for any index, with faults planted.

The memories of symbols and marks are stood for by models that hold one place, which can be any,
and give anything for all others and for what is written in the same cycle. All else is the log's
own logic: lines, window, comparison, marks, look-up.
"""

import importlib.util
import sys

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Fragment, Module, Mux, Signal
from amaranth.hdl._ast import AnyConst, AnySeq
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.link import LookupStatus
from keybeam_gateware.transmitter.log.frame_marks import MARK_LAYOUT
from keybeam_gateware.transmitter.log.memory_port import WORD_BITS, MemoryPort
from keybeam_gateware.transmitter.log.window import GUARD_WORDS

LAYOUTS = "keybeam_gateware.transmitter.layouts"
LOG = "keybeam_gateware.transmitter.log"
STATE_LOG = f"{LOG}.state_log"
PARTS = [f"{LOG}.{name}" for name in ("comparison", "lines", "window", "lookup", "state_log")]
INDEX_BITS = 12
END = 3 << INDEX_BITS - 2
"""Indices do not get so far that they start anew; those of 62 bits never do."""
FRAME_WORDS = 32
MOST = FRAME_WORDS - GUARD_WORDS
DEPTH = 13


@pytest.fixture
def narrow(monkeypatch):
    """Build the log for indices of few bits, which is much faster to prove; gives the layouts."""
    old = "WORD_INDEX_BITS = FRAME_COUNTER_BITS + CYCLE_BITS"
    layouts = mutated(LAYOUTS, old, f"WORD_INDEX_BITS = {INDEX_BITS}")
    monkeypatch.setitem(sys.modules, LAYOUTS, layouts)
    for name in PARTS:
        spec = importlib.util.find_spec(name)
        copy = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, copy)
        spec.loader.exec_module(copy)
    return layouts


class WatchedMemory(wiring.Component):
    """Any memory behind the port, of which one place is watched.

    It may refuse writes and reads if `refuses`, and answers in the cycle after it took a read.
    """

    def __init__(self, frames, frame_words, refuses=False):
        self._refuses = refuses
        self.port_signature = MemoryPort(frames * frame_words, 1)
        self.watched = Signal(exact_log2(frames * frame_words))
        self.content = Signal(WORD_BITS)
        super().__init__({"port": In(self.port_signature)})

    def elaborate(self, platform):
        m = Module()
        write, read = self.port.write, self.port.read
        hit = Signal()
        m.d.comb += [
            hit.eq(write.enable & write.taken & (write.address == self.watched)),
            write.taken.eq(AnySeq(1) if self._refuses else 1),
            read.taken.eq(AnySeq(1) if self._refuses else 1),
            self.port.initialised.eq(1),
            self.port.passed.eq(1),
        ]
        with m.If(hit):
            m.d.sync += self.content.eq(write.line)
        known = (read.address == self.watched) & ~hit
        m.d.sync += [
            read.answered.eq(read.enable & read.taken),
            read.line.eq(Mux(known, self.content, AnySeq(WORD_BITS))),
        ]
        return m


class WatchedMarks(wiring.Component):
    """Any memory of marks, of which one place is watched."""

    def __init__(self, frames):
        address = exact_log2(frames)
        self.watched = Signal(address)
        self.content = Signal(MARK_LAYOUT)
        super().__init__(
            {
                "write": In(1),
                "write_frame": In(address),
                "write_mark": In(MARK_LAYOUT),
                "read_frame": In(address),
                "mark": Out(MARK_LAYOUT),
            }
        )

    def elaborate(self, platform):
        m = Module()
        hit, fetched, nearer = Signal(), Signal(MARK_LAYOUT), Signal(MARK_LAYOUT)
        m.d.comb += hit.eq(self.write & (self.write_frame == self.watched))
        with m.If(hit):
            m.d.sync += self.content.eq(self.write_mark)
        known = (self.read_frame == self.watched) & ~hit
        m.d.sync += [
            fetched.as_value().eq(Mux(known, self.content.as_value(), AnySeq(2))),
            nearer.eq(fetched),
            self.mark.eq(nearer),
        ]
        return m


class LogProof(Elaboratable):
    """What the log answers for one index, which can be any, was true while it was looked up."""

    def __init__(
        self, monkeypatch, layouts, module=None, *, refuses=False, restarts=True, inductive=True
    ):
        module = module or sys.modules[STATE_LOG]
        self._layout = layouts.SENT_LAYOUT
        self._restarts, self._inductive = restarts, inductive
        parts = self._parts = {}
        self._help = []  # what excludes states that are never reached, for the induction alone

        def keep(name, make):
            def made(*arguments):
                parts[name] = make(*arguments)
                return parts[name]

            monkeypatch.setattr(module, name, made)

        keep("BlockRam", lambda *sizes: WatchedMemory(*sizes, refuses=refuses))
        keep("FrameMarks", WatchedMarks)
        keep("Window", module.Window)
        keep("Lookup", module.Lookup)
        self._log = module.StateLog(1, FRAME_WORDS)

    def elaborate(self, platform):
        m = Module()
        log = self._log
        # At once, since it makes the parts that are looked into.
        m.submodules.log = Fragment.get(log, platform)
        ram, marks, window = (self._parts[name] for name in ("BlockRam", "FrameMarks", "Window"))
        word = Signal(INDEX_BITS)
        m.d.comb += [
            word.eq(AnyConst(INDEX_BITS)),
            Assume(word < END),
            ram.watched.eq(word),
            marks.watched.eq(word // FRAME_WORDS),
        ]
        on_port, marking = self._send(m, log)
        truth = self._model(m, word, marking, ram, marks, window, on_port)
        self._check(m, log, word, truth)
        if self._inductive:
            m.d.comb += [Assert(condition) for condition in self._help]
        return m

    def _send(self, m, log):
        """Send any pattern that keeps what the log's description asks for."""
        sent, before, marking = (
            Signal(self._layout, name=name) for name in ("now", "port", "mark")
        )
        m.d.comb += [sent.as_value().eq(AnySeq(len(sent.as_value()))), log.sent.eq(sent)]
        m.d.sync += [before.eq(sent), marking.eq(before)]
        border = sent.word % FRAME_WORDS == 0
        goes_on = before.valid & (sent.word == before.word + 1)
        m.d.comb += [
            Assume(sent.word < END),
            Assume(~sent.valid | Mux(sent.first, border, goes_on)),
            Assume(~(sent.valid & ~sent.first & ~border) | (sent.not_key == before.not_key)),
        ]
        if not self._restarts:
            m.d.comb += Assume(sent.valid & (sent.first == ~before.valid))
        # What was sent two cycles in a row follows the same rules.
        follows = before.valid & ~before.first
        self._help += [
            (~follows | (marking.valid & (before.word == marking.word + 1))),
            (~(follows & (before.word % FRAME_WORDS != 0)) | (before.not_key == marking.not_key)),
            (~(before.valid & before.first) | (before.word % FRAME_WORDS == 0)),
            (~(marking.valid & marking.first) | (marking.word % FRAME_WORDS == 0)),
        ]
        return before, marking

    def _model(self, m, word, marking, ram, marks, window, on_port):
        """What the log holds, in plain registers, with the delay of the window."""
        begun, first, newest = Signal(), Signal(INDEX_BITS), Signal(INDEX_BITS)
        newest_mark = Signal()
        symbols, not_key, lost = Signal(WORD_BITS), Signal(), Signal()
        refused = Signal()
        m.d.sync += refused.eq(on_port.valid & ~ram.port.write.taken)
        same_frame = marking.word // FRAME_WORDS == word // FRAME_WORDS
        with m.If(marking.valid):
            m.d.sync += [begun.eq(1), newest.eq(marking.word), newest_mark.eq(marking.not_key)]
            m.d.sync += lost.eq((refused & same_frame) | (lost & ~marking.first))
            with m.If(marking.first):
                m.d.sync += first.eq(marking.word)
            with m.If(marking.word == word):
                m.d.sync += symbols.eq(marking.symbols)
            with m.If(same_frame):
                m.d.sync += not_key.eq(marking.not_key)
        count = newest - first + 1
        held = Mux(count < MOST, count, MOST)
        inside, old = Signal(), Signal()
        m.d.comb += [
            inside.eq(begun & (word >= first) & (word <= newest) & (newest - word < MOST)),
            old.eq(begun & ((word < first) | ((word <= newest) & (newest - word >= MOST)))),
        ]
        frame_seen = (
            begun
            & (newest >= first)
            & (word // FRAME_WORDS >= first // FRAME_WORDS)
            & (word // FRAME_WORDS <= newest // FRAME_WORDS)
        )
        # While a restart is on its way, the memory may be ahead of the window.
        restart = marking.valid & marking.first
        follows = marking.valid & ~marking.first
        self._help += [
            (window.held == Mux(begun, held, 0)),
            (~begun | (window.newest == newest)),
            (~begun | (newest >= first)),
            (first % FRAME_WORDS == 0),
            (window.full == (window.held == MOST)),
            (~follows | (begun & (marking.word == newest + 1))),
            (~(follows & (marking.word % FRAME_WORDS != 0)) | (marking.not_key == newest_mark)),
            (~(begun & (newest // FRAME_WORDS == word // FRAME_WORDS)) | (newest_mark == not_key)),
            (newest < END),
            (~lost | frame_seen),
            (~inside | restart | lost | (ram.content == symbols)),
            (
                ~(frame_seen & (newest // FRAME_WORDS - word // FRAME_WORDS < 2))
                | ((marks.content.not_key == not_key) & (marks.content.lost == lost))
            ),
        ]
        return inside, old, symbols, not_key, lost

    def _check(self, m, log, word, truth):
        """Gather all that was true since an index was taken, and compare with the answer."""
        inside, old, symbols, not_key, lost = truth
        asked = Signal(INDEX_BITS + 2)
        m.d.comb += [
            log.index.valid.eq(AnySeq(1)),
            log.index.payload.eq(AnySeq(INDEX_BITS + 2)),
            log.answer.ready.eq(AnySeq(1)),
        ]
        symbol = symbols.word_select(asked[:2], 4)
        found, marked = Signal(16), Signal(16)
        too_old, too_new, was_lost = Signal(), Signal(), Signal()
        now_found = Mux(inside & ~lost & ~not_key, 1 << symbol, 0)[:16]
        now_marked = Mux(inside & ~lost & not_key, 1 << symbol, 0)[:16]
        with m.If(log.index.valid & log.index.ready):
            m.d.sync += asked.eq(log.index.payload)
            m.d.sync += [signal.eq(0) for signal in (found, marked, too_old, too_new, was_lost)]
        with m.Else():
            m.d.sync += [
                found.eq(found | now_found),
                marked.eq(marked | now_marked),
                too_old.eq(too_old | old),
                too_new.eq(too_new | ~(inside | old)),
                was_lost.eq(was_lost | (inside & lost)),
            ]
        seen, status = Signal(4), Signal(4)
        lookup = self._parts["Lookup"]
        taken = Cat(lookup.slot, lookup.word) == asked
        self._help.append(log.index.ready | taken)
        ours = log.answer.valid & (asked[2:] == word)
        m.d.comb += [
            Cat(seen, status).eq(log.answer.payload),
            Assert(~ours | (status != LookupStatus.FOUND) | found.bit_select(seen, 1)),
            Assert(~ours | (status != LookupStatus.NOT_KEY) | marked.bit_select(seen, 1)),
            Assert(~ours | (status != LookupStatus.TOO_OLD) | too_old),
            Assert(~ours | (status != LookupStatus.TOO_NEW) | too_new),
            Assert(~ours | (status <= LookupStatus.LOST)),
            Cover(ours & (status == LookupStatus.FOUND) & (seen == 5)),
            Cover(ours & (status == LookupStatus.NOT_KEY) & (seen == 10)),
        ]


def test_no_answer_is_wrong_whatever_the_memory_refuses(monkeypatch, narrow, tmp_path):
    proof = LogProof(monkeypatch, narrow, refuses=True)
    assert_proved(proof, depth=DEPTH, folder=tmp_path, engine="smtbmc yices")


def test_symbols_are_found_at_all(monkeypatch, narrow, tmp_path):
    assert_reached(LogProof(monkeypatch, narrow), depth=24, folder=tmp_path, engine="smtbmc yices")


FAULTS = {
    "a start of the pattern during a look-up is not noticed": (
        f"{LOG}.state_log",
        "disturbed.eq(packer.restarts | (line.valid & line.first) | marked)",
        "disturbed.eq(marked & ~line.first)",
    ),
    "a frame with a loss is not marked": (
        f"{LOG}.state_log",
        "marks.write_mark.lost.eq(lost)",
        "marks.write_mark.lost.eq(0)",
    ),
    "a frame that cannot become key is marked a line late": (
        f"{LOG}.state_log",
        "marks.write_mark.not_key.eq(written.not_key)",
        "marks.write_mark.not_key.eq(written.not_key & ~written.first)",
    ),
    "the newest word overwrites the oldest that is held": (
        f"{LOG}.window",
        "self._most = words - GUARD_WORDS",
        "self._most = words - 2",
    ),
    "an index far away is taken for one nearby": (
        f"{LOG}.comparison",
        "far.eq(high_later.any())",
        "far.eq(0)",
    ),
    "the symbol of another slot is answered": (
        f"{LOG}.lookup",
        "word.word_select(self.slot, SYMBOL_BITS)",
        "word.word_select(self.slot[0], SYMBOL_BITS)",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(monkeypatch, narrow, tmp_path, fault):
    module, old, new = FAULTS[fault]
    faulty = mutated(module, old, new, through=PARTS[PARTS.index(module) + 1 :])
    proof = LogProof(
        monkeypatch,
        narrow,
        faulty,
        refuses="loss" in fault,
        restarts="start" in fault,
        inductive=False,
    )
    assert_refuted(proof, depth=52, folder=tmp_path, engine="smtbmc yices")
