"""What is in the part: a terminal, the cells of its lanes, its clocks and its serial port.

A terminal is any component with the ports of ``keybeam_gateware.tops``.
"""

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction

from amaranth.build import Platform
from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Module,
    Mux,
    Signal,
    Value,
)
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer

from keybeam.protocol.identity import Role
from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam.protocol.records import AUXILIARY_CHANNELS, DETECTOR_CHANNELS, Channel
from keybeam.protocol.tagger import DELAY_LINE_SLICES
from keybeam.tagger.line_model import LINE_TIMINGS
from keybeam_boards.board import CHIP_LANES
from keybeam_boards.dram import DRAM_CLOCK_HZ, DRAM_LOG_FRAMES, add_ddr3
from keybeam_boards.errors import RuleError
from keybeam_boards.pads import line_place, pin_label, receiver_inputs
from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES, SlotRate
from keybeam_gateware import tops
from keybeam_gateware.primitives import ecp5
from keybeam_gateware.primitives.ecp5.delay_line import TAPS_PER_SLICE
from keybeam_gateware.primitives.pll import PllStage, plan_pll
from keybeam_gateware.transmitter.log import LogBackend

__all__ = [
    "Lane",
    "ReceiverTop",
    "SerialOutput",
    "Top",
    "TransmitterTop",
    "make_top",
]

LINE_ROWS_APART = 3
"""Rows between the two delay lines of a channel."""


@dataclass(frozen=True)
class Lane:
    """A line that moves four bits a cycle."""

    name: str
    """Name of the resource and its number."""
    output: bool
    """The line leaves the part."""
    io_type: str
    """Standard of the buffer."""
    pins: str
    """Pins of the connector, and balls of the part."""

    @property
    def pad_cell(self) -> str:
        """Name of the pad's cell in the net list; of a pair, the true one's."""
        return f"{self.name}_pad.buf.buf0"


@dataclass(frozen=True)
class SerialOutput:
    """A line of a SERDES."""

    line_hz: Fraction
    """Bits a second."""
    reference_hz: Fraction
    """Frequency of the reference clock."""
    pins: str
    """Resource that it goes out of."""


class Top(Elaboratable):
    """A terminal in the part of a board.

    Parameters
    ----------
    platform : Platform
        The board.
    terminal : Component
        What stands behind the lanes and the serial port.
    rate : SlotRate
        How often a slot comes.

    Attributes
    ----------
    terminal : Component
        The terminal.
    plan : tuple of PllStage
        Loops from the board's reference clock to the edge clock.
    clocks : dict of str to Fraction
        Clocks of the logic and their frequencies in hertz.
    lanes : list of Lane
        Lanes that were connected; complete after elaboration.
    serial_outputs : list of SerialOutput
        SERDES lines that were connected; complete after elaboration.
    x1_lanes : bool
        Lanes go through x1 cells, whose edge clock is one of the logic's.
    has_rings : bool
        There are ring oscillators: loops of logic that are meant.
    """

    has_rings = False

    def __init__(self, platform: Platform, terminal: wiring.Component, rate: SlotRate):
        self.terminal, self._rate = terminal, rate
        self._reference = platform.reference_clock
        if rate.external_hz is not None:
            if platform.external_clock is None:
                raise RuleError(f"{platform.title} has no input for an external reference clock")
            self._reference = platform.external_clock
        reference_hz = Fraction(
            rate.external_hz or platform.lookup(self._reference).clock.frequency
        )
        try:
            self.plan: tuple[PllStage, ...] = plan_pll(reference_hz, rate.edge_clock_hz)
        except ValueError as error:
            raise RuleError(f"{self._reference} of {platform.title}: {error}") from error
        self.clocks = {"sync": rate.fabric_clock_hz, "reference": reference_hz}
        self.x1_lanes = platform.x1_lanes
        if self.x1_lanes:
            self.clocks["eclk"] = rate.edge_clock_hz
        self.lanes: list[Lane] = []
        self.serial_outputs: list[SerialOutput] = []

    def elaborate(self, platform):
        """Put the terminal between its pads."""
        m = Module()
        m.submodules.terminal = self.terminal
        self._add_clocks(m, platform)
        self._add_serial_port(m, platform)
        self.lanes.clear()
        self.serial_outputs.clear()
        self._add_lanes(m, platform, self.terminal)
        return m

    @abstractmethod
    def _add_lanes(self, m: Module, platform: Platform, terminal: wiring.Component) -> None:
        """Connect the terminal's lanes."""

    def _add_clocks(self, m, platform):
        m.domains.sync = ClockDomain("sync", reset_less=True)
        m.domains.eclk = ClockDomain("eclk")
        kind = ecp5.X1Clocks if self.x1_lanes else ecp5.Clocks
        m.submodules.clocks = clocks = kind(self.plan)
        if self.x1_lanes:
            m.submodules.word_phase = self._phase = ecp5.WordPhase()
        reference = platform.request(self._reference, dir="-")
        if self._rate.external_hz is not None:
            platform.add_clock_constraint(reference.io, self._rate.external_hz)
        self._reference_input = self._input(m, "reference", reference)
        platform.add_supplies(m, self._reference_input)
        m.d.comb += clocks.reference.eq(self._reference_input)
        if platform.restart_button is not None:
            button = platform.request(platform.restart_button, dir="-")
            m.d.comb += clocks.reset.eq(self._input(m, "restart", button))

    def _add_serial_port(self, m, platform):
        parts = (part.name for part in platform.lookup(platform.serial_port).ios)
        pads = platform.request(platform.serial_port, dir=dict.fromkeys(parts, "-"))
        m.submodules.serial_output_pad = output = io.Buffer("o", pads.tx)
        m.d.comb += [
            self.terminal.uart_rx.eq(self._input(m, "serial_input", pads.rx)),
            output.o.eq(self.terminal.uart_tx),
        ]

    @staticmethod
    def _input(m, name, port):
        # Longer names than those of the signals behind them, which nextpnr then takes.
        m.submodules[f"{name}_pad"] = buffer = io.Buffer("i", port)
        return buffer.i

    def _send(self, m, platform, resource: str, number: int, word, fine_delay=None) -> None:
        """Serialise a word of every cycle onto a lane, with a delay of its own if one is given."""
        name, port = self._request(platform, resource, number, output=True)
        m.submodules[f"{name}_pad"] = buffer = io.Buffer("o", port)
        # The sides that need x1 cells have no delay cells.
        delayed = fine_delay is not None and not self.x1_lanes
        if self.x1_lanes:
            lane = ecp5.X1LaneSerialiser()
            m.d.comb += lane.middle.eq(self._phase.middle)
        else:
            lane = ecp5.LaneSerialiser(delayed=delayed)
        m.submodules[name] = lane
        m.d.comb += [lane.word.eq(word), buffer.o.eq(lane.line)]
        if delayed:
            m.d.comb += lane.fine_delay.eq(fine_delay)

    def _receive(
        self,
        m,
        platform,
        resource: str,
        number: int,
        place: str | None = None,
        level: Signal | None = None,
    ) -> Value:
        """Sample a lane; gives the word of every cycle.

        With the place of the pad's I/O logic, `level` is the signal itself.
        """
        name, port = self._request(platform, resource, number, output=False)
        m.submodules[f"{name}_pad"] = buffer = io.Buffer("i", port)
        if self.x1_lanes:
            lane = ecp5.X1LaneDeserialiser()
            m.d.comb += lane.middle.eq(self._phase.middle)
        else:
            lane = ecp5.LaneDeserialiser(place=place if level is not None else None)
        m.submodules[name] = lane
        m.d.comb += lane.line.eq(buffer.i)
        if level is not None:
            m.d.comb += level.eq(buffer.i)
        return lane.word

    def _request(self, platform, resource, number, *, output):
        name, port = f"{resource}_{number}", platform.request(resource, number, dir="-")
        (pad,) = (port.p if hasattr(port, "p") else port.io).metadata
        pins = pin_label(platform, resource, number)
        self.lanes.append(Lane(name, output, pad.attrs["IO_TYPE"], pins))
        return name, port


class TransmitterTop(Top):
    """The transmitter.

    ``random_clock`` drives the random-number chips, at half the slot rate with a bit on either
    edge. The serial lane of a SERDES is there where the board has one. As long as that lane does
    not send, the terminal's `fault` keeps all lanes dark, so that none sends alone.
    """

    has_rings = True

    def __init__(self, platform: Platform, terminal: wiring.Component, rate: SlotRate):
        super().__init__(platform, terminal, rate)
        if platform.memory is not None:
            self.clocks["dram"] = Fraction(DRAM_CLOCK_HZ)

    def _add_lanes(self, m, platform, terminal):
        for number in range(platform.transmitter_lanes):
            name = f"lane_{number}"
            self._send(m, platform, "lane", number, terminal.lanes[name], terminal.fine_delay[name])
        self._send(m, platform, "marker", 0, terminal.marker)
        self._send(m, platform, "downlink", 0, terminal.downlink)
        self._send(m, platform, "random_clock", 0, Const(0b0101, SLOTS_PER_CYCLE))
        for chip in ("a", "b"):
            names = [(f"random_{chip}", lane) for lane in range(CHIP_LANES)]
            # As where none is fitted: without pins, a chip is one that does not exist.
            if all(name in platform.resources for name in names):
                samples = [self._receive(m, platform, *name) for name in names]
                m.d.comb += [terminal.chips[chip].eq(Cat(samples)), terminal.chip_valid[chip].eq(1)]
        m.d.comb += [
            terminal.uplink.eq(self._receive(m, platform, "uplink", 0)),
            terminal.pps.eq(self._receive(m, platform, "pps", 0)),
        ]
        m.submodules.rings = rings = ecp5.RingOscillators()
        m.d.comb += [
            rings.enable.eq(1),
            terminal.ring.eq(rings.bits),
            terminal.ring_valid.eq(rings.valid),
        ]
        if platform.serial_lane is not None:
            self._add_serial_lane(m, platform, terminal)
        if platform.memory is not None:
            reference_hz = self.clocks["reference"]
            add_ddr3(m, platform, terminal.memory, self._reference_input, reference_hz)

    def _add_serial_lane(self, m, platform, terminal):
        name, number = platform.serial_lane
        pads = platform.request(name, number, dir={"tx": "-", "rx": "-"})
        m.submodules.serial_lane = lane = ecp5.SerialLane(positive=pads.tx.p, negative=pads.tx.n)
        m.d.comb += [lane.word.eq(terminal.serial), terminal.fault.eq(~lane.ready)]
        reference_hz = self.clocks["sync"]
        self.serial_outputs.append(
            SerialOutput(reference_hz * ecp5.REFERENCE_MULTIPLIER, reference_hz, f"{name}_{number}")
        )


class ReceiverTop(Top):
    """The receiver.

    With delay lines, each input goes to its line as well as to its sampling cell, or the line sees
    the pulses of a ring oscillator instead.
    """

    def _add_lanes(self, m, platform, terminal):
        samples = {
            Channel.LINE: terminal.line,
            Channel.PPS: terminal.pps,
            **{channel: terminal.detectors[channel] for channel in DETECTOR_CHANNELS},
            **{c: terminal.auxiliary[place] for place, c in enumerate(AUXILIARY_CHANNELS)},
        }
        chains = dict.fromkeys(samples, 0)
        if "pictures" in terminal.signature.members:
            self.has_rings = True
            m.submodules.pulser = pulser = ecp5.RingPulser()
            m.d.comb += [
                pulser.enable.eq(terminal.pulser_run),
                terminal.pulser.eq(pulser.pulse),
            ]
            chains = terminal.lines
            calibrate = self._leave_clock(m, terminal.calibrate)
        for channel, pad in receiver_inputs(platform).items():
            word, resource, number = samples[channel], pad.resource, pad.number
            if not chains[channel]:
                m.d.comb += word.eq(self._receive(m, platform, resource, number))
                continue
            level = Signal(name=f"level_{channel.name.lower()}")
            seen = Mux(calibrate[channel], pulser.pulse, level)
            place = pad.place.io_logic
            m.d.comb += word.eq(self._receive(m, platform, resource, number, place, level))
            column, row = line_place(channel)
            for line in range(chains[channel]):
                name = f"{channel.name.lower()}_{line}"
                self._add_line(m, name, column, row + line * LINE_ROWS_APART, seen)

    def _leave_clock(self, m, value):
        """Register a value with the reference clock.

        A delay line lasts longer than a period. What the logic's own clock sends into it would be
        taken for the slowest path of that clock.
        """
        m.domains.reference_input = ClockDomain(reset_less=True, local=True)
        m.d.comb += ClockSignal("reference_input").eq(self._reference_input)
        outside = Signal.like(value)
        m.submodules.to_reference = FFSynchronizer(value, outside, o_domain="reference_input")
        return outside

    def _add_line(self, m, name, column, row, seen):
        """Let a delay line look at a signal."""
        delay_line = ecp5.DelayLine(DELAY_LINE_SLICES, column=column, row=row)
        m.submodules[f"delay_line_{name}"] = delay_line
        m.d.comb += [
            delay_line.line.eq(seen),
            self.terminal.pictures[name].eq(delay_line.taps),
        ]


def make_top(
    platform: Platform,
    role: Role,
    git_revision: int,
    slot_rate: str = DEFAULT_SLOT_RATE,
    lines: int | None = None,
) -> Top:
    """Put one of the two terminals into the part of a board.

    Parameters
    ----------
    platform : Platform
        The board.
    role : Role
        Which terminal.
    git_revision : int
        First 32 bits of the git revision, for the identity block.
    slot_rate : str
        One of `keybeam_boards.rates.SLOT_RATES`.
    lines : int, optional
        Delay lines of a detector of a receiver: 0, 1 or 2; as many as the board says if not given.

    Returns
    -------
    Top
        What the board's plan is made of.
    """
    rate = SLOT_RATES[slot_rate]
    options = {"git_revision": git_revision, "uart_divisor": rate.uart_divisor}
    if role is Role.RECEIVER:
        lines = platform.lines if lines is None else lines
        tap_ps = LINE_TIMINGS[platform.speed].carry_ps / TAPS_PER_SLICE
        return ReceiverTop(platform, tops.Receiver(**options, lines=lines, tap_ps=tap_ps), rate)
    if platform.memory is not None:
        options |= {"log_frames": DRAM_LOG_FRAMES, "log_backend": LogBackend.DDR3}
    elif platform.log_frames is not None:
        options["log_frames"] = platform.log_frames
    return TransmitterTop(platform, tops.Transmitter(**options), rate)
