"""The co-simulated receiver: the terminal, and with delay lines what stands before them.

The link tells, beside the samples, where in their slot the edges of a cycle are; a line shows them
a slot later. The lines have uneven taps, as real ones: what the host calibrates is there to be
found.
"""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOT_PS, SLOTS_PER_CYCLE
from keybeam.protocol.records import AUXILIARY_CHANNELS, DETECTOR_CHANNELS, Channel
from keybeam_gateware.primitives.portable import DelayLine
from keybeam_gateware.tops import Receiver
from keybeam_sim.cosimulation.edge_places import PLACE_BITS, PLACE_INPUTS, PLACES_WORD_BITS

__all__ = ["LINE_TAPS", "MEAN_TAP_PS", "CosimulatedReceiver", "line_delays"]

LINE_TAPS = 96
"""Taps of a co-simulated line: fewer and longer ones than a real line has, for speed."""

MEAN_TAP_PS = 96.0
"""Mean delay of its taps; together they last for 9.2 ns."""

_PULSER_PS = 14_683
"""Half a period of the pulser: 34 MHz, without a small common multiple with the clock."""


def line_delays(channel: Channel) -> list[int]:
    """Give the delays of the taps of a channel's line.

    Parameters
    ----------
    channel : Channel
        The channel, from whose number they are drawn.

    Returns
    -------
    list of int
        In picoseconds: the two taps of a slice have uneven bins, with some spread.
    """
    rng = np.random.default_rng(channel)
    widths = MEAN_TAP_PS * np.tile([0.4, 1.6], LINE_TAPS // 2)
    spread = widths * rng.uniform(0.9, 1.1, LINE_TAPS)
    return np.cumsum(spread).astype(int).tolist()


class _Changes(wiring.Component):
    """Up to two changes in a cycle, by the samples before and after.

    Members
    -------
    samples : In(4)
        Samples of the cycle.
    places : In(32)
        Where in its slot the level changes before each sample, in 2^-8 slot, a byte a sample.
    changes, first_ps, second_ps : Out
        As a `DelayLine` takes them. Of more than two changes, two are left out.
    """

    samples: In(SLOTS_PER_CYCLE)
    places: In(PLACE_BITS * SLOTS_PER_CYCLE)
    changes: Out(2)
    first_ps: Out(range(FABRIC_PERIOD_PS))
    second_ps: Out(range(FABRIC_PERIOD_PS))

    def elaborate(self, platform):
        m = Module()
        last = Signal()
        m.d.sync += last.eq(self.samples[-1])
        flips = Signal(SLOTS_PER_CYCLE)
        m.d.comb += flips.eq(self.samples ^ Cat(last, self.samples[:-1]))
        number = sum(flips)
        times = [
            slot * SLOT_PS + (self.places.word_select(slot, PLACE_BITS) * SLOT_PS >> PLACE_BITS)
            for slot in range(SLOTS_PER_CYCLE)
        ]
        latest = earliest = times[0]
        for flip, time in list(zip(flips, times, strict=True))[1:]:
            latest = Mux(flip, time, latest)
        for flip, time in reversed(list(zip(flips, times, strict=True))):
            earliest = Mux(flip, time, earliest)
        m.d.comb += [
            self.changes.eq(Mux(number > 2, number - 2, number)),
            self.first_ps.eq(Mux(number == 1, latest, earliest)),
            self.second_ps.eq(latest),
        ]
        with m.If(number == 3):
            m.d.comb += self.first_ps.eq(latest)
        return m


class _Follower(wiring.Component):
    """Lets a delay line follow one of two sources, also when another one is chosen.

    Members
    -------
    changes : In(2)
        Changes of the chosen source.
    level : In(1)
        Its level after them.
    followed : Out(2)
        Changes that bring the line to that level.
    """

    changes: In(2)
    level: In(1)
    followed: Out(2)

    def elaborate(self, platform):
        m = Module()
        shown = Signal()
        m.d.comb += self.followed.eq(self.changes)
        with m.If(shown ^ self.changes[0] != self.level):
            m.d.comb += self.followed.eq(Mux(self.changes == 0, 1, self.changes - 1))
        m.d.sync += shown.eq(self.level)
        return m


class _Pulser(wiring.Component):
    """Changes of a level at a fixed period that has nothing to do with the clock's.

    Members
    -------
    run : In(1)
        Lets it change.
    changes, first_ps : Out
        As a `DelayLine` takes them.
    level : Out(1)
        The level after them.
    """

    run: In(1)
    changes: Out(2)
    first_ps: Out(range(FABRIC_PERIOD_PS))
    level: Out(1)

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(_PULSER_PS + FABRIC_PERIOD_PS), init=_PULSER_PS)
        before = Signal()
        m.d.comb += [
            self.changes.eq(self.run & (left < FABRIC_PERIOD_PS)),
            self.first_ps.eq(left),
            self.level.eq(before ^ self.changes[0]),
        ]
        m.d.sync += [
            before.eq(self.level),
            left.eq(left - FABRIC_PERIOD_PS + Mux(left < FABRIC_PERIOD_PS, _PULSER_PS, 0)),
        ]
        return m


class CosimulatedReceiver(wiring.Component):
    """The receiver with its delay lines, behind sampled inputs alone.

    Parameters
    ----------
    uart_divisor : int
        Clock cycles of a bit of the serial line.
    lines : int
        Delay lines of a detector, 0 or 1; with any, each other input has one.

    Members
    -------
    line, detectors, pps, auxiliary : In
        As those of `keybeam_gateware.tops.Receiver`.
    places : In
        Where in their slots the inputs change: those of each of `PLACE_INPUTS`, as `_Changes` has
        them.
    uart_rx : In(1), uart_tx : Out(1)
        Serial line from and to the host.
    """

    line: In(SLOTS_PER_CYCLE)
    detectors: In(data.ArrayLayout(unsigned(SLOTS_PER_CYCLE), len(DETECTOR_CHANNELS)))
    pps: In(SLOTS_PER_CYCLE)
    auxiliary: In(data.ArrayLayout(unsigned(SLOTS_PER_CYCLE), len(AUXILIARY_CHANNELS)))
    places: In(PLACES_WORD_BITS)
    uart_rx: In(1, init=1)
    uart_tx: Out(1, init=1)

    def __init__(self, *, uart_divisor: int, lines: int) -> None:
        self._terminal = Receiver(
            uart_divisor=uart_divisor, lines=lines, taps=LINE_TAPS, tap_ps=MEAN_TAP_PS
        )
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.terminal = terminal = self._terminal
        m.d.comb += [
            terminal.line.eq(self.line),
            terminal.detectors.eq(self.detectors),
            terminal.pps.eq(self.pps),
            terminal.auxiliary.eq(self.auxiliary),
            terminal.uart_rx.eq(self.uart_rx),
            self.uart_tx.eq(terminal.uart_tx),
        ]
        if "pictures" in terminal.signature.members:
            m.submodules.pulser = pulser = _Pulser()
            m.d.comb += [
                pulser.run.eq(terminal.pulser_run),
                terminal.pulser.eq(pulser.level),
            ]
            for channel in terminal.lines:
                self._add_line(m, channel, pulser)
        return m

    def _add_line(self, m, channel, pulser):
        """Put a delay line between an input, or the pulser, and the terminal."""
        terminal, name = self._terminal, channel.name.lower()
        inputs = {Channel.LINE: self.line, Channel.PPS: self.pps}
        inputs |= {channel: self.detectors[channel] for channel in DETECTOR_CHANNELS}
        inputs |= {channel: self.auxiliary[n] for n, channel in enumerate(AUXILIARY_CHANNELS)}
        m.submodules[f"changes_{name}"] = changes = _Changes()
        m.submodules[f"follower_{name}"] = follower = _Follower()
        m.submodules[f"line_{name}"] = line = DelayLine(line_delays(channel))
        if channel in PLACE_INPUTS:
            places = self.places.word_select(PLACE_INPUTS.index(channel), len(changes.places))
            m.d.comb += changes.places.eq(places)
        pulsed = terminal.calibrate[channel]
        m.d.comb += [
            changes.samples.eq(inputs[channel]),
            follower.changes.eq(Mux(pulsed, pulser.changes, changes.changes)),
            follower.level.eq(Mux(pulsed, pulser.level, changes.samples[-1])),
            line.changes.eq(follower.followed),
            line.first_ps.eq(Mux(pulsed, pulser.first_ps, changes.first_ps)),
            line.second_ps.eq(changes.second_ps),
            terminal.pictures[f"{name}_0"].eq(line.taps),
        ]
