"""The satellite's end of a session: the transmitter, "Alice"."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import BlockCounts
from keybeam.distillation.reconciliation import Counted
from keybeam.keystore import KeyState
from keybeam.protocol.symbols import Intensity
from keybeam.session.authentication import authenticate, verify
from keybeam.session.blocks import BlockPlan
from keybeam.session.distiller import Disclosure
from keybeam.session.endpoint import Endpoint, EndpointParts
from keybeam.session.messages import (
    PROTOCOL_VERSION,
    AmplifyConfirm,
    AmplifyInstruction,
    BitsReply,
    BitsRequest,
    Goodbye,
    GoodbyeReply,
    Heartbeat,
    Hello,
    HelloReply,
    Message,
    PacketResult,
    PassEnd,
    PassEndReply,
    SessionParameters,
    Settle,
    SettleReply,
    SiftReply,
    SiftRequest,
    Syndrome,
    encode_message,
)
from keybeam.sifting import (
    CodingError,
    PacketAssembler,
    SiftedClicks,
    SiftedPacket,
    compare,
    decode_indices,
    pack_bits,
    pack_intensities,
    unpack_bits,
)

__all__ = ["Lookup", "SatelliteSession"]

Lookup = Callable[[NDArray[np.uint64]], tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""Reads the state log: `LookupStatus` and symbol of pulse indices."""

_FARTHEST = 64
"""Chunks and packets that may be ahead of the next in order; more is no honest message."""

_UNDECIDED = 2
"""Packets whose syndromes may be out without a result. The next one waits, since the errors of
all before these choose its code; so the choice does not depend on the channel's delays."""

_REMEMBERED = 4
"""Packets whose counted errors choose a code; the rate drifts, so older ones tell little."""


@dataclass(frozen=True)
class _Sifted:
    """A chunk that waits for its turn, or whose reply may be asked for again."""

    request: SiftRequest
    reply: SiftReply
    clicks: SiftedClicks


@dataclass(frozen=True)
class _Disclosed:
    """A packet whose syndrome was sent, and what was told of it since."""

    packet: SiftedPacket
    message: Syndrome
    syndrome_leak_bits: int
    told: list[tuple[BitsRequest, BitsReply]] = field(default_factory=list)

    @property
    def leak_bits(self) -> int:
        """Bits disclosed so far, counted in whole bytes."""
        return self.syndrome_leak_bits + sum(8 * len(reply.bits) for _, reply in self.told)


@dataclass(frozen=True)
class _GoodPacket:
    """A packet that both ends hold."""

    packet: SiftedPacket
    errors: int
    leak_bits: int


class SatelliteSession(Endpoint):
    """State machine of the satellite.

    Parameters
    ----------
    parts : EndpointParts
        What it works with.
    lookup : callable
        Reads the state log.

    Attributes
    ----------
    packets, dropped_packets : int
        Packets made, and those that the ground station could not correct.
    blocks, abandoned_blocks : int
        Blocks ordered, and those that were abandoned.
    """

    def __init__(self, parts: EndpointParts, lookup: Lookup) -> None:
        super().__init__(parts)
        self._lookup = lookup
        self._hello: Hello | None = None
        self._hello_reply: HelloReply | None = None
        self._chunks: dict[int, _Sifted] = {}
        self._next_chunk = 0
        self._ended = False
        self._plan = BlockPlan(parts.parameters.block_packets)
        self._assembler = PacketAssembler(parts.parameters.packet_bits)
        self._undisclosed: deque[SiftedPacket] = deque()
        self._counted: dict[int, list[tuple[int, int]]] = {}
        self._decided: set[int] = set()
        self._disclosed: dict[int, _Disclosed] = {}
        self._good: dict[int, _GoodPacket] = {}
        self._amplifying = False
        self._instruction: AmplifyInstruction | None = None
        self._confirm: AmplifyConfirm | None = None
        self._unsettled: dict[str, bytes] = {}
        self._settled: dict[str, Settle] = {}
        self.packets = 0
        self.dropped_packets = 0
        self.blocks = 0
        self.abandoned_blocks = 0

    @property
    def open(self) -> bool:
        """Whether a session was agreed on."""
        return self._hello is not None and not self.refusal

    @property
    def unsettled_keys(self) -> int:
        """Keys in the store of which the ground station has not said that it holds them."""
        return len(self._pending_names())

    def _pending_names(self) -> list[str]:
        records = self._parts.store.inventory()
        return [record.name for record in records if record.state is KeyState.PENDING]

    def _accept(self, message: Message, now: float) -> bool:  # noqa: ARG002 - asks in jobs only
        match message:
            case Heartbeat():
                return True
            case Hello():
                return self._accept_hello(message)
            case _ if not self.open:
                return False
            case SiftRequest():
                return self._accept_sift(message)
            case BitsRequest():
                return self._accept_bits_request(message)
            case PacketResult():
                return self._accept_result(message)
            case AmplifyInstruction():
                return self._accept_instruction(message)
            case Settle():
                return self._accept_settle(message)
            case PassEnd(chunks=chunks) if chunks == self._next_chunk:
                self._end_sifting()
                return True
            case Goodbye(blocks=blocks) if blocks == self.blocks and not len(self._requests):
                # Until it knows the result of every packet, the satellite stays.
                self._send(GoodbyeReply(self.blocks))
                self.done = True
                return True
            case _:
                return False

    def _accept_hello(self, hello: Hello) -> bool:
        if self._hello_reply is None:
            self.refusal = self._mismatch(hello)
            self._hello = hello
            self._session = hello.session
            self._hello_reply = HelloReply(
                session=hello.session,
                refusal=self.refusal,
                simulation=self._parts.random.simulation,
                unsettled=self._pending_names(),
            )
            self.simulation |= hello.simulation
            self._preamble = [encode_message(hello), encode_message(self._hello_reply)]
        elif hello != self._hello:
            return False
        self._send(self._hello_reply)
        return True

    def _mismatch(self, hello: Hello) -> str:
        """Why there can be no session with the other end; empty where there can."""
        mine = self._parts
        if hello.version != PROTOCOL_VERSION:
            return (
                f"the ground station speaks version {hello.version} of the protocol, "
                f"the satellite version {PROTOCOL_VERSION}"
            )
        for name in SessionParameters.__struct_fields__:
            here, there = getattr(mine.parameters, name), getattr(hello.parameters, name)
            if here != there:
                return f"{name} is {there} at the ground station, {here} at the satellite"
        if hello.codes != mine.distiller.fingerprint:
            return "the two ends have different error-correcting codes"
        if hello.secret != mine.secret.name:
            return "the two ends have different pre-shared secrets"
        return ""

    def _accept_sift(self, request: SiftRequest) -> bool:
        number = request.chunk
        for old in [
            chunk for chunk in self._chunks if chunk < min(request.oldest, self._next_chunk)
        ]:
            del self._chunks[old]
        if number in self._chunks:
            self._send(self._chunks[number].reply)
            return True
        if self._ended or not self._next_chunk <= number < self._next_chunk + _FARTHEST:
            return False
        try:
            sifted = self._sift(request)
        except CodingError:
            return False
        self._chunks[number] = sifted
        self._send(sifted.reply)
        while self._next_chunk in self._chunks:
            self._take_chunk(self._chunks[self._next_chunk])
        return True

    def _sift(self, request: SiftRequest) -> _Sifted:
        """Compare the clicks of a chunk with the state log."""
        indices = decode_indices(request.indices)
        if indices.size != request.count:
            raise CodingError(f"{indices.size} indices for {request.count} clicks")
        sampled = unpack_bits(request.sampled, request.count).astype(bool)
        bases = unpack_bits(request.bases, request.count)
        revealed = np.zeros(request.count, np.uint8)
        revealed[sampled] = unpack_bits(request.bits, int(np.count_nonzero(sampled)))
        status, symbols = self._lookup(indices)
        found = compare(status, symbols, bases)
        told = sampled[found.matching]
        decoy = (found.intensities == Intensity.DECOY) & ~told
        clicks = SiftedClicks(
            index=indices[found.matching],
            intensity=found.intensities,
            sampled=told,
            bit=found.bits,
            error=told & (revealed[found.matching] != found.bits),
        )
        reply = SiftReply(
            chunk=request.chunk,
            matching=pack_bits(found.matching),
            intensities=pack_intensities(found.intensities),
            decoy_bits=pack_bits(found.bits[decoy]),
            too_old=found.too_old,
            too_new=found.too_new,
            invalid=found.invalid,
        )
        return _Sifted(request, reply, clicks)

    def _take_chunk(self, sifted: _Sifted) -> None:
        self._next_chunk += 1
        self._transcript.add_chunk(sifted.request, sifted.reply)
        for packet in self._assembler.feed(sifted.clicks):
            following = packet.last_chunk + (packet.last_click == sifted.clicks.size - 1)
            self._transcript.begin_packet(packet, following)
            self.packets += 1
            self._undisclosed.append(packet)
        self._disclose_next()

    def _end_sifting(self) -> None:
        """Take no further chunk, so that nothing can be added to what is disclosed now."""
        self._ended = True
        self._send(PassEndReply(self._assembler.packets, self._assembler.pending_bits))
        self._disclose_next()

    def _received(self, number: int) -> bool:
        """Whether all pulses of a packet's block have been received."""
        return self._ended or self.packets >= self._plan.end(number)

    def _disclose_next(self) -> None:
        """Disclose the packets whose turn has come, none before its block has been received."""
        while self._undisclosed:
            number = self._undisclosed[0].number
            if not self._received(number):
                return
            if number >= _UNDECIDED and number - _UNDECIDED not in self._decided:
                return
            packet = self._undisclosed.popleft()
            self._decided.discard(number - _UNDECIDED)
            self._counted[number] = [(packet.sampled_errors, packet.sampled)]
            self._disclose(packet, self._counts_for(number))

    def _counts_for(self, number: int) -> list[Counted]:
        """Errors that choose the code of a packet."""
        self._counted.pop(number - _REMEMBERED - 1, None)
        counts = []
        for packet, counted in self._counted.items():
            age = number - packet
            # The last packets' results may be here or not: only their samples count.
            known = counted if age >= _UNDECIDED else counted[:1]
            counts += [Counted(errors, bits, age) for errors, bits in known]
        return counts

    def _disclose(self, packet: SiftedPacket, counted: list[Counted]) -> None:
        """Compute syndrome and tag of a packet, then send them."""
        key = self._parts.random.draw("verification", 16)
        distiller = self._parts.distiller

        def work() -> Disclosure:
            return distiller.disclose(packet.bits, counted, key)

        def finish(disclosure: Disclosure, now: float) -> None:
            message = Syndrome(
                packet=packet.number,
                code=disclosure.code,
                syndrome=disclosure.syndrome,
                key=key,
                tag=disclosure.tag,
                sampled=packet.sampled,
                sampled_errors=packet.sampled_errors,
            )
            self._disclosed[packet.number] = _Disclosed(packet, message, disclosure.leak_bits)
            self._ask("packet", packet.number, message, now)

        self._queue(work, finish)

    def _accept_bits_request(self, request: BitsRequest) -> bool:
        """Tell bits of a packet; a round asked for again gets the same ones, whatever it asks."""
        disclosed = self._disclosed.get(request.packet)
        if disclosed is None:
            return False
        if request.round < len(disclosed.told):
            asked, reply = disclosed.told[request.round]
            self._send(reply)
            return asked == request
        if request.round > len(disclosed.told) or request.round >= self._parts.distiller.rounds:
            return False
        bits = disclosed.packet.bits
        try:
            places = decode_indices(request.places)
        except CodingError:
            return False
        if not places.size or places[-1] >= bits.size:
            return False
        reply = BitsReply(request.packet, request.round, pack_bits(bits[places]))
        disclosed.told.append((request, reply))
        self._send(reply)
        return True

    def _accept_result(self, result: PacketResult) -> bool:
        disclosed = self._disclosed.get(result.packet)
        if disclosed is None or result.errors > disclosed.packet.bits.size:
            return False
        del self._disclosed[result.packet]
        self._requests.close(("packet", result.packet))
        self._transcript.end_packet(disclosed.message, disclosed.told, result)
        self._decided.add(result.packet)
        if result.good and result.packet in self._counted:
            self._counted[result.packet].append((result.errors, disclosed.packet.bits.size))
        self._disclose_next()
        if result.good:
            self._good[result.packet] = _GoodPacket(
                disclosed.packet, result.errors, disclosed.leak_bits
            )
        else:
            self.dropped_packets += 1
        return True

    def _accept_instruction(self, message: AmplifyInstruction) -> bool:
        if message.session != self._session:
            return False
        if self._confirm is not None and message.block == self._confirm.block:
            # What was refused stays refused; what was accepted is confirmed to its own sender.
            if not self._confirm.refusal and message != self._instruction:
                return False
            self._send(self._confirm)
            return True
        if message.block != self.blocks or self._amplifying:
            return False
        if any(packet in self._disclosed for packet in message.packets):
            return True  # A result is still on its way; the instruction will be repeated.
        self.blocks += 1
        refusal = self._fault(message)
        if refusal:
            self._refuse(message, refusal)
        else:
            self._amplify(message)
        return True

    def _fault(self, message: AmplifyInstruction) -> str:
        """Why an instruction cannot be followed; empty where it can."""
        good = [self._good[packet] for packet in message.packets if packet in self._good]
        if len(good) != len(message.packets) or not good:
            return "it names packets that the satellite does not have"
        if message.packets != sorted(set(message.packets)):
            return "its packets are not in order"
        if len({self._plan.block_of(packet) for packet in message.packets}) > 1:
            return "its packets are of different blocks"
        if not self._genuine(message):
            return "it is not genuine"
        packets = [item.packet for item in good]
        if message.decoy_errors > sum(packet.decoy for packet in packets):
            return "it has more errors of decoys than decoys"
        counts = BlockCounts(
            signal=sum(packet.bits.size for packet in packets),
            decoy=sum(packet.decoy for packet in packets),
            vacuum=sum(packet.vacuum for packet in packets),
            decoy_errors=message.decoy_errors,
        )
        leak_bits = sum(item.leak_bits for item in good)
        told = (message.signal, message.decoy, message.vacuum, message.leak_bits)
        if told != (counts.signal, counts.decoy, counts.vacuum, leak_bits):
            return "its counts are not the satellite's"
        errors = sum(item.errors for item in good)
        dropped = self._plan.dropped(message.packets, self.packets)
        length = self._parts.distiller.key_length(counts, errors, leak_bits, dropped).length_bits
        seed_bits = counts.signal + length - 1 if length else 0
        if message.length != length or len(message.seed) != (seed_bits + 7) // 8:
            return "its length does not follow from the counts"
        return ""

    def _genuine(self, message: AmplifyInstruction | Settle) -> bool:
        one_time_key = self._parts.secret.expected(message.key_offset)
        if one_time_key is None:
            return False
        packets = message.packets if isinstance(message, AmplifyInstruction) else []
        unsigned = msgspec.structs.replace(message, tag=b"")
        if not verify(one_time_key, self._signed_parts(unsigned, packets), message.tag):
            return False
        self._parts.secret.accept(message.key_offset)
        return True

    def _refuse(self, message: AmplifyInstruction, refusal: str) -> None:
        """Abandon a block. The refusal is not signed: the ground station settles what holds."""
        self.abandoned_blocks += 1
        self._forget(message.packets)
        self._instruction = message
        self._confirm = AmplifyConfirm(self._session, message.block, refusal, 0)
        self._send(self._confirm)

    def _forget(self, packets: list[int]) -> None:
        held = [packet for packet in packets if self._good.pop(packet, None) is not None]
        self._transcript.forget(held)

    def _amplify(self, message: AmplifyInstruction) -> None:
        """Compute the key of a block, store it, then confirm."""
        self._amplifying = True
        bits = np.concatenate([self._good[packet].packet.bits for packet in message.packets])
        distiller = self._parts.distiller

        def work() -> bytes:
            return distiller.amplify(bits, message.seed, message.length)

        def finish(key: bytes, now: float) -> None:  # noqa: ARG001 - nothing is repeated here
            self._amplifying = False
            self._confirm_key(message, key)

        self._queue(work, finish)

    def _confirm_key(self, message: AmplifyInstruction, key: bytes) -> None:
        if key:
            name = self._key_name(message.block)
            self._parts.store.add(name, key, KeyState.PENDING)
            self._unsettled[name] = key
        offset, one_time_key = self._parts.secret.draw()
        unsigned = AmplifyConfirm(self._session, message.block, "", offset)
        parts = self._signed_parts(unsigned, message.packets)
        parts += [encode_message(message), key]
        self._instruction = message
        self._confirm = msgspec.structs.replace(unsigned, tag=authenticate(one_time_key, parts))
        self._forget(message.packets)
        self._send(self._confirm)

    def _accept_settle(self, message: Settle) -> bool:
        if self._settled.get(message.key) == message:
            self._send(SettleReply(message.key))
            return True
        if not self._genuine(message):
            return False
        key = self._unsettled.pop(message.key, b"")
        if message.stored:
            if self._parts.store.settle(message.key):
                self._count_key(key)
        else:
            self._parts.store.discard(message.key)
            self.abandoned_blocks += bool(key)
        self._settled[message.key] = message
        self._send(SettleReply(message.key))
        return True
