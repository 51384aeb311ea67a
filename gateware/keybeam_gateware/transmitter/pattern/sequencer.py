"""Makes the symbols of every cycle, from whatever the mode of its frame says."""

from amaranth import Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.modes import PRBS_TAPS, PatternMode
from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.transmitter.layouts import SYMBOLS_LAYOUT
from keybeam_gateware.transmitter.pattern.layouts import (
    BLANKED_SYMBOL,
    FRAME_SETTINGS,
    SELECTION,
)
from keybeam_gateware.transmitter.pattern.table import TABLE_LATENCY

__all__ = ["MAP_ADDRESS_LATENCY", "SEQUENCER_LATENCY", "Sequencer"]

MAP_ADDRESS_LATENCY = 2
"""Cycles from `Sequencer.slots` to the addresses of the symbol map."""

SEQUENCER_LATENCY = MAP_ADDRESS_LATENCY + TABLE_LATENCY + 1
"""Cycles from `Sequencer.slots` to `Sequencer.symbols`."""


class Sequencer(wiring.Component):
    """Chooses where the symbols of each cycle come from; it cannot wait.

    Where random bits are asked for and are not there, or are not fit for keys,
    all pulses of the cycle are blanked. Blanked slots, slots without a pulse
    and those of mode OFF carry `BLANKED_SYMBOL`, which lanes send as vacuum.

    Parameters
    ----------
    random_bits : int
        Bits of a pulse.

    Members
    -------
    settings : In(FRAME_SETTINGS)
        Those of the frame.
    slots : In(4)
        Slots of this cycle with a pulse.
    fit : In(1)
        Random bits may be sent.
    unfit : In(1)
        They are found unfit in this cycle.
    key_take : Out(1)
        Random bits are taken in this cycle, if `key_there`.
    key_there : In(1)
    key_0 to key_3 : In(unsigned(random_bits))
        Random bits of each slot.
    prbs_take : Out(1)
        Bits of the pseudo-random sequence are taken, one cycle after `slots`.
    prbs_0 to prbs_3 : In(unsigned(random_bits))
        Its bits for each slot.
    address_0 to address_3 : Out(unsigned(random_bits))
        To the symbol map, `MAP_ADDRESS_LATENCY` cycles after `slots`.
    entry_0 to entry_3 : In(4)
        From the symbol map.
    user : In(SYMBOLS_LAYOUT)
        User pattern, `SEQUENCER_LATENCY` - 1 cycles after `slots`.
    symbols : Out(SYMBOLS_LAYOUT)
        Symbols of the cycle, `SEQUENCER_LATENCY` cycles after `slots`; from registers.
    pulses : Out(4)
        Slots with a pulse, blanked or not, beside `symbols`.
    blanked : Out(1)
        Pulses of this cycle were blanked, beside `symbols`.
    found_unfit : Out(1)
        Bits were found unfit in this cycle, beside `symbols`.
    """

    def __init__(self, random_bits: int) -> None:
        bits = unsigned(random_bits)
        each = range(SYMBOLS_PER_WORD)
        super().__init__(
            {
                "settings": In(FRAME_SETTINGS),
                "slots": In(SYMBOLS_PER_WORD),
                "fit": In(1),
                "unfit": In(1),
                "key_take": Out(1),
                "key_there": In(1),
                "prbs_take": Out(1),
                "user": In(SYMBOLS_LAYOUT),
                "symbols": Out(SYMBOLS_LAYOUT),
                "pulses": Out(SYMBOLS_PER_WORD),
                "blanked": Out(1),
                "found_unfit": Out(1),
            }
            | {f"key_{slot}": In(bits) for slot in each}
            | {f"prbs_{slot}": In(bits) for slot in each}
            | {f"address_{slot}": Out(bits) for slot in each}
            | {f"entry_{slot}": In(SYMBOL_BITS) for slot in each}
        )

    def elaborate(self, platform):
        m = Module()
        selection = self._select(m)
        self._look_up(m)
        selection = SELECTION(delayed(m, selection, SEQUENCER_LATENCY - 2))
        fixed = delayed(m, self.settings.symbol, SEQUENCER_LATENCY - 1)
        self._choose(m, selection, fixed)
        return m

    def _select(self, m):
        """Decide for the cycle, one cycle after `slots`."""
        mode = self.settings.mode
        pulse, key, prbs = Signal(), Signal(), Signal()
        selection = Signal(SELECTION)
        m.d.comb += [
            pulse.eq(self.slots[0]),
            key.eq(mode == PatternMode.KEY),
            prbs.eq(_is_prbs(mode)),
            self.key_take.eq(pulse & key & self.fit),
        ]
        m.d.sync += [
            selection.blank.eq(pulse & key & ~(self.fit & self.key_there)),
            selection.map.eq(pulse & ((key & self.fit & self.key_there) | prbs)),
            selection.user.eq(pulse & (mode == PatternMode.USER)),
            selection.fixed.eq(pulse & (mode == PatternMode.FIXED)),
            selection.slots.eq(Mux(mode == PatternMode.OFF, 0, self.slots)),
            selection.unfit.eq(self.unfit),
            self.prbs_take.eq(pulse & prbs),
        ]
        return selection

    def _look_up(self, m):
        """Give the symbol map the bits of each slot, random or pseudo-random."""
        prbs = Signal()
        m.d.sync += prbs.eq(_is_prbs(self.settings.mode))
        for slot in range(SYMBOLS_PER_WORD):
            key = delayed(m, getattr(self, f"key_{slot}"), 1)
            address = getattr(self, f"address_{slot}")
            m.d.sync += address.eq(Mux(prbs, getattr(self, f"prbs_{slot}"), key))

    def _choose(self, m, selection, fixed):
        m.d.sync += [
            self.pulses.eq(selection.slots),
            self.blanked.eq(selection.blank),
            self.found_unfit.eq(selection.unfit),
        ]
        for slot, name in enumerate(SYMBOLS_LAYOUT.members):
            symbol = self.symbols[name]
            with m.If(~selection.slots[slot]):
                m.d.sync += symbol.eq(BLANKED_SYMBOL)
            with m.Elif(selection.map):
                m.d.sync += symbol.eq(getattr(self, f"entry_{slot}"))
            with m.Elif(selection.user):
                m.d.sync += symbol.eq(self.user[name])
            with m.Elif(selection.fixed):
                m.d.sync += symbol.eq(fixed)
            with m.Else():
                m.d.sync += symbol.eq(BLANKED_SYMBOL)


def _is_prbs(mode):
    is_any = Const(0)
    for prbs in PRBS_TAPS:
        is_any |= mode == prbs
    return is_any
