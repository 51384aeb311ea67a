"""Tells what was sent, after the last of it has left the lanes."""

from amaranth import Cat, Module, Signal
from amaranth.hdl import ResetInserter
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.symbols import SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.layouts import SENT_LAYOUT, SYMBOLS_LAYOUT, TIME_LAYOUT
from keybeam_gateware.transmitter.pattern.layouts import BLANKED_SYMBOL

__all__ = ["BLANK_WORD", "CHOSEN_LAYOUT", "Record"]

CHOSEN_LAYOUT = data.StructLayout({"symbols": SYMBOLS_LAYOUT, "blanked": 1, "unfit": 1})
"""Symbols of a cycle, whether they were blanked, and whether bits were found unfit in it."""

BLANK_WORD = {f"slot_{slot}": BLANKED_SYMBOL for slot in range(SYMBOLS_PER_WORD)}
"""Symbols of a cycle in which nothing was sent."""


class Record(wiring.Component):
    """Holds symbols back until they have left every lane, and blanks those that a fault stops.

    Parameters
    ----------
    span : int
        Cycles from `chosen` until no lane can still show anything of it.

    Members
    -------
    time : In(TIME_LAYOUT)
        Where the pattern stands. It is looked at `span` or more cycles after a frame began there,
        so a frame must be longer than that.
    first : In(1)
        The frame is the first since the pattern started.
    not_key : In(1)
        The frame must not become key.
    begin : In(1)
        The next cycle of `sent` is the first of a frame.
    chosen : In(CHOSEN_LAYOUT)
        What goes to the lanes.
    fault : In(1)
        Nothing goes out any more of all that came `span` cycles ago or later.
    sent : Out(SENT_LAYOUT)
        What was sent.
    blanked, unfit : Out(1)
        As in `chosen`, beside `sent`.
    """

    def __init__(self, span: int) -> None:
        self._span = span
        super().__init__(
            {
                "time": In(TIME_LAYOUT),
                "first": In(1),
                "not_key": In(1),
                "begin": In(1),
                "chosen": In(CHOSEN_LAYOUT),
                "fault": In(1),
                "sent": Out(SENT_LAYOUT),
                "blanked": Out(1),
                "unfit": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.symbols = symbols = ResetInserter(self.fault)(_Symbols(self._span))
        m.d.comb += symbols.chosen.eq(self.chosen.symbols)
        flags = Cat(self.chosen.blanked, self.chosen.unfit)
        for _ in range(self._span):
            later = Signal.like(flags, name="flags")
            m.d.sync += later.eq(flags)
            flags = later
        sent, cycle = self.sent, len(self.time.cycle)
        m.d.comb += [
            sent.symbols.eq(symbols.sent),
            Cat(self.blanked, self.unfit).eq(flags),
        ]
        with m.If(self.begin):
            m.d.sync += [
                sent.valid.eq(self.time.running),
                sent.first.eq(self.first),
                sent.not_key.eq(self.not_key),
                sent.word.eq(self.time.frame << cycle),
            ]
        with m.Else():
            m.d.sync += [sent.first.eq(0), sent.word[:cycle].eq(sent.word[:cycle] + 1)]
        return m


class _Symbols(wiring.Component):
    """Registers for the symbols of `span` cycles, blank after a reset."""

    def __init__(self, span: int) -> None:
        self._span = span
        super().__init__({"chosen": In(SYMBOLS_LAYOUT), "sent": Out(SYMBOLS_LAYOUT)})

    def elaborate(self, platform):
        m = Module()
        symbols = self.chosen
        for age in range(1, self._span + 1):
            later = Signal(SYMBOLS_LAYOUT, init=BLANK_WORD, name=f"symbols_{age}")
            m.d.sync += later.eq(symbols)
            symbols = later
        m.d.comb += self.sent.eq(symbols)
        return m
