"""The board's end of the link, from the serial line to registers and streams."""

from amaranth import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.link import (
    CREDIT_BITS,
    MESSAGE_MAXIMUM,
    RECORD_NUMBER_BITS,
    TAGS_MAXIMUM,
    FrameKind,
)
from keybeam.protocol.numbers import FRAME_CYCLES, PULSE_INDEX_BITS
from keybeam.protocol.records import RECORD_BYTES
from keybeam_gateware.link.access import ACCESS_RESULT, RegisterAccess
from keybeam_gateware.link.cobs import CobsDecoder, CobsEncoder
from keybeam_gateware.link.commands import Commands
from keybeam_gateware.link.framing import FrameChecker, FrameSealer
from keybeam_gateware.link.paced_fifo import PacedFifo
from keybeam_gateware.link.packer import Packer
from keybeam_gateware.link.packets import PACKET_BYTE, PacketArbiter
from keybeam_gateware.link.register_stage import RegisterStage
from keybeam_gateware.link.uart import UartReceiver, UartTransmitter
from keybeam_gateware.soc import CSR_DATA_WIDTH, MemoryMap, csr

__all__ = ["Link"]

_INPUT_BYTES = 512
_RECORD_DEPTH = 512
_MESSAGE_DEPTH = 4096


class Link(wiring.Component):
    """Speaks `keybeam.protocol.link` on a serial line.

    Parameters
    ----------
    memory_map : MemoryMap
        Of the register bus.
    uart_divisor : int
        Clock cycles of a bit.
    transmitter_streams : bool
        Whether there are `lookup`, `symbol`, `payload` and `payload_free`.
    receiver_streams : bool
        Whether there are `records`.
    flush_cycles : int
        Longest time that a record or message byte waits for a full frame, in clock cycles.

    Members
    -------
    uart_rx : In(1)
        Serial line from the host.
    uart_tx : Out(1)
        Serial line to the host.
    bus : Out(csr.Signature)
        Register bus.
    accepted, dropped, spoilt, lost : Out(1)
        Events for `LinkCounters`.
    lookup : Out(stream.Signature(unsigned(64))), symbol : In(stream.Signature(unsigned(8)))
        Pulse indices, and the byte that answers each.
    payload : Out(stream.Signature(unsigned(8)))
        Bytes for the downlink; a frame of them starts only if `payload_free` is enough for it.
    payload_free : In(16)
        Bytes for which there is room; may lag by three cycles.
    message : In(stream.Signature(unsigned(8)))
        Bytes of the payload stream received over the optical line.
    records : In(stream.Signature(unsigned(64)))
        Tag records.
    allowed : In(1), number : Out(32), spent : Out(32)
        Of the frames of records; see `Packer` and `RecordCredit`.
    """

    def __init__(
        self,
        *,
        memory_map: MemoryMap,
        uart_divisor: int,
        transmitter_streams: bool,
        receiver_streams: bool,
        flush_cycles: int = FRAME_CYCLES,
    ) -> None:
        self._memory_map, self._divisor, self._flush_cycles = memory_map, uart_divisor, flush_cycles
        self._transmitter_streams = transmitter_streams
        self._receiver_streams = receiver_streams
        members = {
            "uart_rx": In(1, init=1),
            "uart_tx": Out(1, init=1),
            "bus": Out(csr.Signature(addr_width=memory_map.addr_width, data_width=CSR_DATA_WIDTH)),
            "accepted": Out(1),
            "dropped": Out(1),
            "spoilt": Out(1),
            "lost": Out(1),
            "message": In(stream.Signature(unsigned(8))),
        }
        if transmitter_streams:
            members |= {
                "lookup": Out(stream.Signature(unsigned(PULSE_INDEX_BITS))),
                "symbol": In(stream.Signature(unsigned(8))),
                "payload": Out(stream.Signature(unsigned(8))),
                "payload_free": In(16),
            }
        if receiver_streams:
            members |= {
                "records": In(stream.Signature(unsigned(8 * RECORD_BYTES))),
                "allowed": In(1),
                "number": Out(RECORD_NUMBER_BITS),
                "spent": Out(CREDIT_BITS),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.commands = commands = Commands(streams=self._transmitter_streams)
        m.submodules.access = access = RegisterAccess(self._memory_map)
        connect(m, commands.request, access.request)
        m.submodules.results = results = RegisterStage(ACCESS_RESULT)
        connect(m, access.result, results.input)
        connect(m, results.output, commands.result)
        connect(m, access.bus, flipped(self.bus))
        if self._transmitter_streams:
            m.submodules.indices = indices = RegisterStage(unsigned(PULSE_INDEX_BITS))
            connect(m, commands.lookup, indices.input)
            connect(m, indices.output, flipped(self.lookup))
            connect(m, flipped(self.symbol), commands.symbol)
            connect(m, commands.payload, flipped(self.payload))
            m.d.comb += commands.payload_free.eq(self.payload_free)
        self._receive(m, commands)
        self._send(m, commands)
        return m

    def _receive(self, m, commands):
        """From the line to whole, right requests."""
        m.submodules.uart_receiver = uart = UartReceiver(divisor=self._divisor)
        m.submodules.waiting = waiting = PacedFifo(8, depth=_INPUT_BYTES)
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.checker = checker = FrameChecker()
        m.submodules.requests = requests = RegisterStage(PACKET_BYTE)
        m.d.comb += [
            uart.line.eq(self.uart_rx),
            commands.length.eq(checker.length),
            self.accepted.eq(checker.accepted),
            self.dropped.eq(checker.dropped | commands.ignored),
            self.spoilt.eq(uart.broken),
            self.lost.eq(uart.lost),
        ]
        connect(m, uart.output, waiting.input)
        connect(m, waiting.output, decoder.input)
        connect(m, decoder.output, checker.input)
        connect(m, checker.output, requests.input)
        connect(m, requests.output, commands.frame)

    def _send(self, m, commands):
        """From answers, records and messages to the line."""
        m.submodules.answers = answers = RegisterStage(PACKET_BYTE)
        m.submodules.arbiter = arbiter = PacketArbiter()
        m.submodules.joined = joined = RegisterStage(PACKET_BYTE)
        m.submodules.sealer = sealer = FrameSealer()
        m.submodules.encoder = encoder = CobsEncoder()
        m.submodules.uart_transmitter = uart = UartTransmitter(divisor=self._divisor)
        connect(m, commands.answer, answers.input)
        connect(m, answers.output, arbiter.urgent)
        connect(m, arbiter.output, joined.input)
        connect(m, joined.output, sealer.input)
        connect(m, sealer.output, encoder.input)
        connect(m, encoder.output, uart.input)
        m.d.comb += self.uart_tx.eq(uart.line)
        m.submodules.messages = messages = Packer(
            kind=FrameKind.MESSAGE,
            item_bits=8,
            maximum=MESSAGE_MAXIMUM,
            depth=_MESSAGE_DEPTH,
            flush_cycles=self._flush_cycles,
            numbered=False,
        )
        connect(m, flipped(self.message), messages.items)
        connect(m, messages.output, arbiter.second)
        if self._receiver_streams:
            m.submodules.tags = tags = Packer(
                kind=FrameKind.TAGS,
                item_bits=8 * RECORD_BYTES,
                maximum=TAGS_MAXIMUM,
                depth=_RECORD_DEPTH,
                flush_cycles=self._flush_cycles,
                numbered=True,
            )
            connect(m, flipped(self.records), tags.items)
            m.d.comb += [
                tags.allowed.eq(self.allowed),
                self.number.eq(tags.number),
                self.spent.eq(tags.spent),
            ]
            connect(m, tags.output, arbiter.first)
