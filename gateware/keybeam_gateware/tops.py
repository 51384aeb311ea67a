"""The two terminals as a whole: core, identity, registers and link; no I/O cells, no clocks."""

from typing import Any

from amaranth import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.identity import Role
from keybeam.protocol.link import UART_BAUD
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, SLOTS_PER_CYCLE
from keybeam.protocol.records import DETECTOR_CHANNELS
from keybeam_gateware.identity import Identity
from keybeam_gateware.link import Link, LinkCounters
from keybeam_gateware.receiver import ReceiverCore
from keybeam_gateware.register_map import register_map
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.transmitter import (
    DEFAULT_LOG_FRAMES,
    LANES_LAYOUT,
    RANDOM_WORD_BITS,
    TransmitterCore,
)

__all__ = ["DEFAULT_UART_DIVISOR", "Receiver", "Transmitter"]

DEFAULT_UART_DIVISOR = round(FABRIC_CLOCK_HZ / UART_BAUD)
"""Clock cycles of a bit of the serial line."""

_ADDRESS_WIDTH = 9
_IDENTITY_ADDRESS, _LINK_ADDRESS, _CORE_ADDRESS = 0x000, 0x008, 0x100


class _Control:
    """What both terminals have beside their core: identity, link and the register bus.

    Parameters
    ----------
    role : Role
        Which terminal it is.
    core : Component
        Its core.
    uart_divisor : int
        Clock cycles of a bit of the serial line.
    git_revision : int
        First 32 bits of the git revision.
    """

    def __init__(
        self, *, role: Role, core: wiring.Component, uart_divisor: int, git_revision: int
    ) -> None:
        self.core = core
        self.identity = Identity(role=role, revision=git_revision)
        self.counters = LinkCounters()
        self.decoder = csr.Decoder(addr_width=_ADDRESS_WIDTH, data_width=CSR_DATA_WIDTH)
        self.decoder.add(self.identity.bus, name="identity", addr=_IDENTITY_ADDRESS)
        self.decoder.add(self.counters.bus, name="link", addr=_LINK_ADDRESS)
        self.decoder.add(core.bus, name=role.name.lower(), addr=_CORE_ADDRESS)
        self.register_map = register_map(self.decoder.bus.memory_map, role)
        self.identity.map_hash = int(self.register_map["hash"], 16)
        self.link = Link(
            memory_map=self.decoder.bus.memory_map,
            uart_divisor=uart_divisor,
            transmitter_streams=role is Role.TRANSMITTER,
            receiver_streams=role is Role.RECEIVER,
        )

    def add_to(self, m: Module, top: wiring.Component) -> None:
        """Put all of it, and the core, into the top."""
        m.submodules.core = self.core
        m.submodules.identity = self.identity
        m.submodules.counters = self.counters
        m.submodules.decoder = self.decoder
        m.submodules.link = self.link
        connect(m, self.link.bus, self.decoder.bus)
        m.d.comb += [self.link.uart_rx.eq(top.uart_rx), top.uart_tx.eq(self.link.uart_tx)]
        for event in ("accepted", "dropped", "spoilt", "lost"):
            m.d.comb += getattr(self.counters, event).eq(getattr(self.link, event))


class Transmitter(wiring.Component):
    """The satellite's terminal.

    Parameters
    ----------
    uart_divisor : int
        Clock cycles of a bit of the serial line.
    log_frames : int
        Depth of the state log in frames, a power of two.
    git_revision : int
        First 32 bits of the git revision, 0 if unknown.

    Attributes
    ----------
    register_map : dict
        See `keybeam_gateware.register_map.register_map`.

    Members
    -------
    random : In(stream.Signature(unsigned(64)))
        Fresh random words.
    lanes : Out(LANES_LAYOUT)
        Lanes of laser and modulators; bit k of each is slot k of the cycle.
    downlink : Out(4)
        The line bit of this cycle, once for each slot.
    uart_rx : In(1), uart_tx : Out(1)
        Serial line from and to the host; `uart_rx` need not be synchronous.
    """

    random: In(stream.Signature(unsigned(RANDOM_WORD_BITS)))
    lanes: Out(LANES_LAYOUT)
    downlink: Out(SLOTS_PER_CYCLE)
    uart_rx: In(1, init=1)
    uart_tx: Out(1, init=1)

    def __init__(
        self,
        *,
        uart_divisor: int = DEFAULT_UART_DIVISOR,
        log_frames: int = DEFAULT_LOG_FRAMES,
        git_revision: int = 0,
    ) -> None:
        super().__init__()
        self._control = _Control(
            role=Role.TRANSMITTER,
            core=TransmitterCore(log_frames=log_frames),
            uart_divisor=uart_divisor,
            git_revision=git_revision,
        )
        self.register_map: dict[str, Any] = self._control.register_map

    def elaborate(self, platform):
        m = Module()
        self._control.add_to(m, self)
        core, link = self._control.core, self._control.link
        connect(m, flipped(self.random), core.random)
        connect(m, link.lookup, core.lookup)
        connect(m, core.answer, link.symbol)
        connect(m, link.payload, core.payload)
        m.d.comb += [
            link.payload_free.eq(core.payload_free),
            self.lanes.eq(core.lanes),
            self.downlink.eq(core.downlink),
        ]
        return m


class Receiver(wiring.Component):
    """The ground station's terminal.

    Parameters
    ----------
    uart_divisor : int
        Clock cycles of a bit of the serial line.
    git_revision : int
        First 32 bits of the git revision, 0 if unknown.

    Attributes
    ----------
    register_map : dict
        See `keybeam_gateware.register_map.register_map`.

    Members
    -------
    line : In(4)
        Samples of the downlink in this cycle, earliest lowest.
    detectors : In(data.ArrayLayout(unsigned(4), 4))
        Samples of the detectors H, V, D, A.
    pps : In(4)
        Samples of the pulse-per-second input.
    uart_rx : In(1), uart_tx : Out(1)
        Serial line from and to the host; `uart_rx` need not be synchronous.
    """

    line: In(SLOTS_PER_CYCLE)
    detectors: In(data.ArrayLayout(unsigned(SLOTS_PER_CYCLE), len(DETECTOR_CHANNELS)))
    pps: In(SLOTS_PER_CYCLE)
    uart_rx: In(1, init=1)
    uart_tx: Out(1, init=1)

    def __init__(self, *, uart_divisor: int = DEFAULT_UART_DIVISOR, git_revision: int = 0) -> None:
        super().__init__()
        self._control = _Control(
            role=Role.RECEIVER,
            core=ReceiverCore(),
            uart_divisor=uart_divisor,
            git_revision=git_revision,
        )
        self.register_map: dict[str, Any] = self._control.register_map

    def elaborate(self, platform):
        m = Module()
        self._control.add_to(m, self)
        core, link = self._control.core, self._control.link
        connect(m, core.records, link.records)
        connect(m, core.message, link.message)
        m.d.comb += [
            core.line.eq(self.line),
            core.detectors.eq(self.detectors),
            core.pps.eq(self.pps),
        ]
        return m
