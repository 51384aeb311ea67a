"""The two terminals as a whole: core, identity, registers and link; no I/O cells, no clocks."""

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.identity import Role
from keybeam.protocol.link import UART_BAUD, CreditAddress
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ
from keybeam.protocol.symbols import SYMBOL_BITS
from keybeam.protocol.tagger import DELAY_LINE_TAPS, NOMINAL_TAP_PS
from keybeam_gateware.identity import Identity
from keybeam_gateware.link import Link, LinkCounters, RecordCredit
from keybeam_gateware.receiver import ReceiverCore, lines_of_channels
from keybeam_gateware.register_map import register_map
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.transmitter import DEFAULT_LOG_FRAMES, TransmitterCore
from keybeam_gateware.transmitter.log import LogBackend

__all__ = ["DEFAULT_UART_DIVISOR", "Receiver", "Transmitter"]

_HOST_STREAMS = {"lookup", "answer", "payload", "payload_free", "message"}
"""What of the transmitter's core goes over the link, and"""

_RECEIVER_TO_HOST = {"records", "message", "bus", "tagger_bus", "gate_bus"}
"""what of the receiver's."""

DEFAULT_UART_DIVISOR = round(FABRIC_CLOCK_HZ / UART_BAUD)
"""Clock cycles of a bit of the serial line."""

_TRANSMITTER_ADDRESS_WIDTH, _RECEIVER_ADDRESS_WIDTH = 9, 11
_IDENTITY_ADDRESS, _LINK_ADDRESS = 0x000, 0x008
_TRANSMITTER_ADDRESSES = {
    "uplink": 0x020,
    "transmitter": 0x040,
    "log": 0x080,
    "random": 0x0C0,
    "pattern": 0x100,
}
_RECEIVER_ADDRESSES = {"receiver": 0x100, "tagger": 0x200, "gate": 0x400}


class _Control:
    """What both terminals have beside their core: identity, link and the register bus.

    Parameters
    ----------
    role : Role
        Which terminal it is.
    core : Component
        Its core.
    windows : dict of str to tuple
        Register buses of the core, with their addresses, by the names their registers begin with.
    address_width : int
        Bits of the address of a register.
    uart_divisor : int
        Clock cycles of a bit of the serial line.
    git_revision : int
        First 32 bits of the git revision.
    """

    def __init__(
        self,
        *,
        role: Role,
        core: wiring.Component,
        windows: dict[str, tuple[wiring.PureInterface, int]],
        address_width: int,
        uart_divisor: int,
        git_revision: int,
    ) -> None:
        self.core = core
        self.identity = Identity(role=role, revision=git_revision)
        self.counters = LinkCounters()
        self.credit = RecordCredit() if role is Role.RECEIVER else None
        self.decoder = csr.Decoder(addr_width=address_width, data_width=CSR_DATA_WIDTH)
        self.decoder.add(self.identity.bus, name="identity", addr=_IDENTITY_ADDRESS)
        self.decoder.add(self.counters.bus, name="link", addr=_LINK_ADDRESS)
        if self.credit is not None:
            self.decoder.add(self.credit.bus, name="credit", addr=CreditAddress.GRANT)
        for name, (bus, address) in windows.items():
            self.decoder.add(bus, name=name, addr=address)
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
        if self.credit is not None:
            m.submodules.credit = self.credit
            m.d.comb += [
                self.credit.spent.eq(self.link.spent),
                self.credit.number.eq(self.link.number),
                self.link.allowed.eq(self.credit.allowed),
            ]


class Transmitter(wiring.Component):
    """The satellite's terminal.

    Parameters
    ----------
    uart_divisor : int
        Clock cycles of a bit of the serial line.
    random_bits : int
        Random bits of a pulse, 1 to 12.
    log_frames : int
        Depth of the state log in frames, a power of two.
    log_backend : LogBackend
        Memory of the state log.
    git_revision : int
        First 32 bits of the git revision, 0 if unknown.

    Attributes
    ----------
    register_map : dict
        See `keybeam_gateware.register_map.register_map`.

    Members
    -------
    chips, chip_valid, ring, ring_valid, pps, fault, uplink : In
        What comes in, and
    lanes, serial, marker, fine_delay, downlink, memory : Out
        what goes out, as in `keybeam_gateware.transmitter.TransmitterCore`.
    uart_rx : In(1), uart_tx : Out(1)
        Serial line from and to the host; `uart_rx` need not be synchronous.
    """

    def __init__(
        self,
        *,
        uart_divisor: int = DEFAULT_UART_DIVISOR,
        random_bits: int = SYMBOL_BITS,
        log_frames: int = DEFAULT_LOG_FRAMES,
        log_backend: LogBackend = LogBackend.BLOCK_RAM,
        git_revision: int = 0,
    ) -> None:
        core = TransmitterCore(
            random_bits=random_bits, log_frames=log_frames, log_backend=log_backend
        )
        self._outside = [
            name for name in core.signature.members if name not in _HOST_STREAMS | core.buses
        ]
        members = {name: core.signature.members[name] for name in self._outside}
        super().__init__(members | {"uart_rx": In(1, init=1), "uart_tx": Out(1, init=1)})
        self._control = _Control(
            role=Role.TRANSMITTER,
            core=core,
            windows={
                name: (bus, _TRANSMITTER_ADDRESSES[name]) for name, bus in core.windows.items()
            },
            address_width=_TRANSMITTER_ADDRESS_WIDTH,
            uart_divisor=uart_divisor,
            git_revision=git_revision,
        )
        self.register_map: dict[str, Any] = self._control.register_map

    def elaborate(self, platform):
        m = Module()
        self._control.add_to(m, self)
        core, link = self._control.core, self._control.link
        connect(m, link.lookup, core.lookup)
        connect(m, core.answer, link.symbol)
        connect(m, link.payload, core.payload)
        connect(m, core.message, link.message)
        m.d.comb += link.payload_free.eq(core.payload_free)
        for name in self._outside:
            member, inner, outer = (
                self.signature.members[name],
                getattr(core, name),
                getattr(self, name),
            )
            if member.is_signature:
                connect(m, inner, flipped(outer))
            else:
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m


class Receiver(wiring.Component):
    """The ground station's terminal.

    Parameters
    ----------
    uart_divisor : int
        Clock cycles of a bit of the serial line.
    lines : int
        Delay lines of a detector, 0 to 2; with any, each other input has one. With none, the
        sampled inputs give the times.
    taps : int
        Taps of a line.
    tap_ps : float
        Delay of a tap in picoseconds, for times before the first calibration.
    git_revision : int
        First 32 bits of the git revision, 0 if unknown.

    Attributes
    ----------
    register_map : dict
        See `keybeam_gateware.register_map.register_map`.
    lines : dict of Channel to int
        Delay lines of each input.

    Members
    -------
    line, detectors, pps, auxiliary, pictures, pulser : In
        What comes in, and
    pulser_run, calibrate : Out
        what goes out, as in `keybeam_gateware.receiver.ReceiverCore`.
    uart_rx : In(1), uart_tx : Out(1)
        Serial line from and to the host; `uart_rx` need not be synchronous.
    """

    def __init__(
        self,
        *,
        uart_divisor: int = DEFAULT_UART_DIVISOR,
        lines: int = 0,
        taps: int = DELAY_LINE_TAPS,
        tap_ps: float = NOMINAL_TAP_PS,
        git_revision: int = 0,
    ) -> None:
        core = ReceiverCore(lines=lines, taps=taps, tap_ps=tap_ps)
        self.lines = lines_of_channels(lines)
        members = {
            name: member
            for name, member in core.signature.members.items()
            if name not in _RECEIVER_TO_HOST
        }
        self._outside = list(members)
        super().__init__(members | {"uart_rx": In(1, init=1), "uart_tx": Out(1, init=1)})
        buses = {"receiver": core.bus, "tagger": core.tagger_bus, "gate": core.gate_bus}
        self._control = _Control(
            role=Role.RECEIVER,
            core=core,
            windows={name: (bus, _RECEIVER_ADDRESSES[name]) for name, bus in buses.items()},
            address_width=_RECEIVER_ADDRESS_WIDTH,
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
        for name in self._outside:
            inner, outer = getattr(core, name), getattr(self, name)
            flow = self.signature.members[name].flow
            m.d.comb += inner.eq(outer) if flow == In else outer.eq(inner)
        return m
