"""Turns symbols into the lanes of laser and modulators, and tells the log what was sent."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.symbols import SYMBOLS_PER_WORD, Intensity
from keybeam_gateware.transmitter.layouts import SENT_LAYOUT, SYMBOLS_LAYOUT, TIME_LAYOUT

__all__ = ["BLANKED_SYMBOL", "LANES_LAYOUT", "SEQUENCER_LATENCY", "Sequencer"]

LANES_LAYOUT = data.StructLayout(
    {
        "trigger": SYMBOLS_PER_WORD,
        "intensity_0": SYMBOLS_PER_WORD,
        "intensity_1": SYMBOLS_PER_WORD,
        "polarisation_0": SYMBOLS_PER_WORD,
        "polarisation_1": SYMBOLS_PER_WORD,
    }
)
"""The lanes; bit k of each is slot k of the cycle.

``trigger`` is 1 in every slot while the pattern runs. ``intensity_1`` and ``intensity_0`` are the
bits of the `Intensity`, with VACUUM in the place of INVALID; ``polarisation_1`` and
``polarisation_0`` are the bits of the `Polarisation`. While the pattern does not run all are 0.
"""

BLANKED_SYMBOL = Intensity.INVALID << 2
"""Symbol of a slot for which there were no random bits."""

SEQUENCER_LATENCY = 2
"""Cycles from `Sequencer.time` to `Sequencer.lanes`."""


class Sequencer(wiring.Component):
    """Sends four symbols a cycle while the pattern runs.

    It cannot wait: in a cycle for which no symbols are there, all four slots
    are blanked to vacuum and marked `Intensity.INVALID`.

    Members
    -------
    time : In(TIME_LAYOUT)
        Where the cycle stands.
    symbols : In(stream.Signature(SYMBOLS_LAYOUT))
        Symbols; taken in every cycle in which the pattern runs.
    lanes : Out(LANES_LAYOUT)
        The lanes, `SEQUENCER_LATENCY` cycles after `time`; from registers.
    sent : Out(SENT_LAYOUT)
        What was sent, for the state log; from registers.
    blanked : Out(1)
        The four slots of `sent` were blanked.
    """

    time: In(TIME_LAYOUT)
    symbols: In(stream.Signature(SYMBOLS_LAYOUT))
    lanes: Out(LANES_LAYOUT)
    sent: Out(SENT_LAYOUT)
    blanked: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.symbols.ready.eq(self.time.running)
        m.d.sync += [
            self.sent.valid.eq(self.time.running),
            self.sent.first.eq(self.time.first),
            self.sent.word.eq(Cat(self.time.cycle, self.time.frame)),
            self.blanked.eq(self.time.running & ~self.symbols.valid),
        ]
        for slot, name in enumerate(SYMBOLS_LAYOUT.members):
            fresh, symbol = self.symbols.payload[name], self.sent.symbols[name]
            m.d.sync += symbol.eq(Mux(self.symbols.valid, fresh, BLANKED_SYMBOL))
            intensity = Signal(2)
            m.d.comb += intensity.eq(
                Mux(symbol[2:4] == Intensity.INVALID, Intensity.VACUUM, symbol[2:4])
            )
            valid = self.sent.valid
            m.d.sync += [
                self.lanes.trigger[slot].eq(valid),
                self.lanes.intensity_0[slot].eq(valid & intensity[0]),
                self.lanes.intensity_1[slot].eq(valid & intensity[1]),
                self.lanes.polarisation_0[slot].eq(valid & symbol[0]),
                self.lanes.polarisation_1[slot].eq(valid & symbol[1]),
            ]
        return m
