"""What is in the part: a terminal, the cells of its lanes, its clocks and its serial port.

A terminal is any component with the ports of ``keybeam_gateware.tops``.
"""

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction

from amaranth.build import Platform
from amaranth.hdl import Cat, ClockDomain, Const, Elaboratable, Module, Value
from amaranth.lib import io, wiring

from keybeam.protocol.identity import Role
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, SLOTS_PER_CYCLE
from keybeam_gateware import tops
from keybeam_gateware.primitives import ecp5
from keybeam_gateware.primitives.pll import PllStage, plan_pll
from keybeam_gateware.random_input import RANDOM_LANES, RandomInput

__all__ = ["EDGE_CLOCK_HZ", "Lane", "ReceiverTop", "Top", "TransmitterTop", "make_top"]

EDGE_CLOCK_HZ = 2 * FABRIC_CLOCK_HZ
"""The clock of the lane cells, which move a bit on either edge."""


@dataclass(frozen=True)
class Lane:
    """A line that moves four bits a cycle."""

    name: str
    """Name of the resource and its number."""
    output: bool
    """The line leaves the part."""
    io_type: str
    """Standard of the buffer."""

    @property
    def pad_cell(self) -> str:
        """Name of the pad's cell in the net list; of a pair, the true one's."""
        return f"{self.name}_pad.buf.buf0"


class Top(Elaboratable):
    """A terminal in the part of a board.

    Parameters
    ----------
    platform : Platform
        The board.
    terminal : Component
        What stands behind the lanes and the serial port.

    Attributes
    ----------
    plan : tuple of PllStage
        Loops from the board's reference clock to the edge clock.
    clocks : dict of str to Fraction
        Clocks of the logic and their frequencies in hertz.
    lanes : list of Lane
        Lanes that were connected; complete after elaboration.
    """

    def __init__(self, platform: Platform, terminal: wiring.Component):
        self._terminal = terminal
        reference_hz = Fraction(platform.lookup(platform.reference_clock).clock.frequency)
        self.plan: tuple[PllStage, ...] = plan_pll(reference_hz, EDGE_CLOCK_HZ)
        self.clocks = {"sync": Fraction(FABRIC_CLOCK_HZ), "reference": reference_hz}
        self.lanes: list[Lane] = []

    def elaborate(self, platform):
        """Put the terminal between its pads."""
        m = Module()
        m.submodules.terminal = self._terminal
        self._add_clocks(m, platform)
        self._add_serial_port(m, platform)
        self.lanes.clear()
        self._add_lanes(m, platform, self._terminal)
        return m

    @abstractmethod
    def _add_lanes(self, m: Module, platform: Platform, terminal: wiring.Component) -> None:
        """Connect the terminal's lanes."""

    def _add_clocks(self, m, platform):
        m.domains.sync = ClockDomain("sync", reset_less=True)
        m.domains.eclk = ClockDomain("eclk")
        m.submodules.clocks = clocks = ecp5.Clocks(self.plan)
        reference = platform.request(platform.reference_clock, dir="-")
        button = platform.request(platform.restart_button, dir="-")
        m.d.comb += [
            clocks.reference.eq(self._input(m, "reference", reference)),
            clocks.reset.eq(self._input(m, "restart", button)),
        ]

    def _add_serial_port(self, m, platform):
        pads = platform.request(platform.serial_port, dir={"rx": "-", "tx": "-"})
        m.submodules.serial_output_pad = output = io.Buffer("o", pads.tx)
        m.d.comb += [
            self._terminal.uart_rx.eq(self._input(m, "serial_input", pads.rx)),
            output.o.eq(self._terminal.uart_tx),
        ]

    @staticmethod
    def _input(m, name, port):
        # Longer names than those of the signals behind them, which nextpnr then takes.
        m.submodules[f"{name}_pad"] = buffer = io.Buffer("i", port)
        return buffer.i

    def _send(self, m, platform, resource: str, number: int, word) -> None:
        """Serialise a word of every cycle onto a lane."""
        name, port = self._request(platform, resource, number, output=True)
        m.submodules[f"{name}_pad"] = buffer = io.Buffer("o", port)
        m.submodules[name] = lane = ecp5.LaneSerialiser()
        m.d.comb += [lane.word.eq(word), buffer.o.eq(lane.line)]

    def _receive(self, m, platform, resource: str, number: int) -> Value:
        """Sample a lane; gives the word of every cycle."""
        name, port = self._request(platform, resource, number, output=False)
        m.submodules[f"{name}_pad"] = buffer = io.Buffer("i", port)
        m.submodules[name] = lane = ecp5.LaneDeserialiser()
        m.d.comb += lane.line.eq(buffer.i)
        return lane.word

    def _request(self, platform, resource, number, *, output):
        name, port = f"{resource}_{number}", platform.request(resource, number, dir="-")
        (pad,) = port.p.metadata
        self.lanes.append(Lane(name, output, pad.attrs["IO_TYPE"]))
        return name, port


class TransmitterTop(Top):
    """The transmitter; ``random_clock`` drives the random-number chip."""

    def _add_lanes(self, m, platform, terminal):
        lanes = terminal.lanes
        for resource, number, word in (
            ("trigger", 0, lanes.trigger),
            ("intensity", 0, lanes.intensity_0),
            ("intensity", 1, lanes.intensity_1),
            ("polarisation", 0, lanes.polarisation_0),
            ("polarisation", 1, lanes.polarisation_1),
            ("downlink", 0, terminal.downlink),
            ("random_clock", 0, Const(0b0101, SLOTS_PER_CYCLE)),
        ):
            self._send(m, platform, resource, number, word)
        m.submodules.random_input = random_input = RandomInput()
        samples = [self._receive(m, platform, "random", lane) for lane in range(RANDOM_LANES)]
        m.d.comb += random_input.lanes.eq(Cat(samples))
        wiring.connect(m, random_input.random, terminal.random)


class ReceiverTop(Top):
    """The receiver."""

    def _add_lanes(self, m, platform, terminal):
        for number in range(len(terminal.detectors)):
            m.d.comb += terminal.detectors[number].eq(
                self._receive(m, platform, "detector", number)
            )
        m.d.comb += [
            terminal.line.eq(self._receive(m, platform, "line", 0)),
            terminal.pps.eq(self._receive(m, platform, "pps", 0)),
        ]


def make_top(platform: Platform, role: Role, git_revision: int) -> Top:
    """Put one of the two terminals into the part of a board.

    Parameters
    ----------
    platform : Platform
        The board.
    role : Role
        Which terminal.
    git_revision : int
        First 32 bits of the git revision, for the identity block.

    Returns
    -------
    Top
        What the board's plan is made of.
    """
    if role is Role.TRANSMITTER:
        return TransmitterTop(platform, tops.Transmitter(git_revision=git_revision))
    return ReceiverTop(platform, tops.Receiver(git_revision=git_revision))
