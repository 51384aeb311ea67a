"""The ground station's end of a session: the receiver, "Bob"."""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

import msgspec
import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import BlockCounts, binary_entropy
from keybeam.key_length import KeyLength
from keybeam.keystore import KeyState
from keybeam.protocol.numbers import SLOT_PS
from keybeam.protocol.symbols import Intensity, basis_of, bit_of
from keybeam.session.authentication import authenticate, verify
from keybeam.session.blocks import BlockPlan
from keybeam.session.distiller import Correction, Disclosure
from keybeam.session.endpoint import Endpoint, EndpointParts
from keybeam.session.errors import SessionError
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
    Settle,
    SettleReply,
    SiftReply,
    SiftRequest,
    Syndrome,
    encode_message,
)
from keybeam.session.randomness import random_mask
from keybeam.session.statistics import BlockStatistics, DroppedClicks, PacketStatistics
from keybeam.sifting import (
    ChunkCutter,
    CodingError,
    PacketAssembler,
    SiftedClicks,
    SiftedPacket,
    encode_indices,
    pack_bits,
    unpack_bits,
    unpack_intensities,
)

__all__ = ["GroundSession"]

_CHUNK_SLOTS = 156_250_000
"""Pulse slots of a chunk, 0.25 s: a fraction of what a state log must hold."""
_CHUNK_CLICKS = 8192
_WINDOW = 4
"""Chunks that may be unanswered before no further clicks are taken."""


class _Stage(Enum):
    GREETING = auto()
    SIFTING = auto()
    ENDING = auto()
    DISTILLING = auto()
    LEAVING = auto()


@dataclass(frozen=True)
class _AskedChunk:
    request: SiftRequest
    index: NDArray[np.uint64]
    bit: NDArray[np.uint8]
    sampled: NDArray[np.bool_]


@dataclass
class _Corrected:
    """A packet that is being corrected, with the bits asked for so far."""

    packet: SiftedPacket
    syndrome: Syndrome
    correction: Correction
    told: list[tuple[BitsRequest, BitsReply]]
    request: BitsRequest | None = None
    places: NDArray[np.uint32] | None = None


@dataclass(frozen=True)
class _Outcome:
    """What became of a packet; `bits` are the satellite's, empty where it was dropped."""

    packet: SiftedPacket
    bits: NDArray[np.uint8]
    errors: int
    statistics: PacketStatistics


@dataclass(frozen=True)
class _Block:
    """A block that the satellite was ordered to amplify."""

    instruction: AmplifyInstruction
    key: bytes
    statistics: BlockStatistics


class GroundSession(Endpoint):
    """State machine of the ground station.

    Parameters
    ----------
    parts : EndpointParts
        What it works with.

    Attributes
    ----------
    packets : list of PacketStatistics
        Packets decided so far, in order.
    blocks : list of BlockStatistics
        Blocks finished so far, in order.
    sifted_bits, sampled_bits : int
        Sifted bits, and signal bits revealed, so far.
    dropped : DroppedClicks
        Clicks that the satellite could not sift so far.
    """

    def __init__(self, parts: EndpointParts) -> None:
        super().__init__(parts)
        self._stage = _Stage.GREETING
        self._cutter = ChunkCutter(_CHUNK_SLOTS, _CHUNK_CLICKS)
        self._assembler = PacketAssembler(parts.parameters.packet_bits)
        self._plan = BlockPlan(parts.parameters.block_packets)
        self._asked: dict[int, _AskedChunk] = {}
        self._answered: dict[int, tuple[SiftReply, SiftedClicks]] = {}
        self._chunks_asked = 0
        self._chunks_sifted = 0
        self._packets: dict[int, SiftedPacket] = {}
        self._syndromes: dict[int, Syndrome] = {}
        self._corrected: dict[int, _Corrected] = {}
        self._results: dict[int, PacketResult] = {}
        self._outcomes: dict[int, _Outcome] = {}
        self._good: list[_Outcome] = []
        self._next_packet = 0
        self._block: _Block | None = None
        self._amplifying = False
        self._to_settle: deque[tuple[str, bool]] = deque()
        self._settling_name = ""
        self.packets: list[PacketStatistics] = []
        self.blocks: list[BlockStatistics] = []
        self.sifted_bits = 0
        self.sampled_bits = 0
        self.dropped = DroppedClicks(0, 0, 0)

    @property
    def ready(self) -> bool:
        """Whether clicks are taken now: the session is open, and few enough chunks wait."""
        return self._stage is _Stage.SIFTING and len(self._asked) < _WINDOW

    @property
    def leftover_bits(self) -> int:
        """Sifted bits that made no full packet."""
        return self._assembler.pending_bits

    def begin(self, now: float) -> list[Message]:
        """Open the session."""
        self._session = self._parts.random.draw("session", 16)
        hello = Hello(
            version=PROTOCOL_VERSION,
            session=self._session,
            parameters=self._parts.parameters,
            codes=self._parts.distiller.fingerprint,
            secret=self._parts.secret.name,
            simulation=self.simulation,
        )
        self._preamble = [encode_message(hello)]
        self._ask("hello", 0, hello, now)
        return self._taken()

    def add_clicks(self, clicks: NDArray[np.void], now: float) -> list[Message]:
        """Take clicks; return the messages to send.

        Parameters
        ----------
        clicks : ndarray of CLICK_DTYPE
            Gated clicks, one a pulse, in order, later than all before.
        now : float
            Time in seconds.
        """
        for chunk in self._cutter.feed(clicks):
            self._ask_chunk(chunk, now)
        return self._taken()

    def end_pass(self, now: float) -> list[Message]:
        """Note that there are no more clicks; return the messages to send."""
        for chunk in self._cutter.flush():
            self._ask_chunk(chunk, now)
        self._stage = _Stage.ENDING
        self._correct_early()
        self._end_sifting(now)
        return self._taken()

    def _ask_chunk(self, clicks: NDArray[np.void], now: float) -> None:
        number = self._chunks_asked
        self._chunks_asked += 1
        fraction = self._parts.parameters.sample_fraction
        sampled = random_mask(self._parts.random, "sample", clicks.size, fraction)
        index = np.ascontiguousarray(clicks["index"])
        bit = bit_of(clicks["channel"])
        request = SiftRequest(
            chunk=number,
            oldest=self._chunks_sifted,
            count=clicks.size,
            indices=encode_indices(index),
            bases=pack_bits(basis_of(clicks["channel"])),
            sampled=pack_bits(sampled),
            bits=pack_bits(bit[sampled]),
            nonce=self._parts.random.draw("nonce", 16),
        )
        self._asked[number] = _AskedChunk(request, index, bit, sampled)
        self._ask("sift", number, request, now)

    def _accept(self, message: Message, now: float) -> bool:
        match message:
            case Heartbeat():
                return True
            case HelloReply():
                return self._accept_hello(message, now)
            case SiftReply():
                return self._accept_sift(message, now)
            case Syndrome():
                return self._accept_syndrome(message)
            case BitsReply():
                return self._accept_bits(message, now)
            case PassEndReply():
                return self._accept_pass_end(message, now)
            case AmplifyConfirm():
                return self._accept_confirm(message, now)
            case SettleReply():
                return self._accept_settled(message, now)
            case GoodbyeReply() if self._stage is _Stage.LEAVING:
                self._requests.close(("goodbye", 0))
                self.done = True
                return True
            case _:
                return False

    def _accept_hello(self, reply: HelloReply, now: float) -> bool:
        if self._stage is not _Stage.GREETING or reply.session != self._session:
            return False
        self._requests.close(("hello", 0))
        if reply.refusal:
            self.refusal = reply.refusal
            return True
        self._preamble.append(encode_message(reply))
        self.simulation |= reply.simulation
        self._stage = _Stage.SIFTING
        held = {record.name for record in self._parts.store.inventory()}
        self._to_settle.extend((name, name in held) for name in reply.unsettled)
        self._go_on(now)
        return True

    def _accept_sift(self, reply: SiftReply, now: float) -> bool:
        chunk = self._asked.get(reply.chunk)
        if chunk is None or reply.chunk in self._answered:
            return False
        try:
            clicks = self._sifted(chunk, reply)
        except CodingError:
            return False
        self._requests.close(("sift", reply.chunk))
        self._answered[reply.chunk] = (reply, clicks)
        while self._chunks_sifted in self._answered:
            self._sift_next()
        self._end_sifting(now)
        return True

    def _sifted(self, chunk: _AskedChunk, reply: SiftReply) -> SiftedClicks:
        """Read the satellite's comparison."""
        matching = unpack_bits(reply.matching, chunk.request.count).astype(bool)
        intensity = unpack_intensities(reply.intensities, int(np.count_nonzero(matching)))
        sampled, bit = chunk.sampled[matching], chunk.bit[matching]
        decoy = (intensity == Intensity.DECOY) & ~sampled
        error = np.zeros(bit.size, bool)
        error[decoy] = unpack_bits(reply.decoy_bits, int(np.count_nonzero(decoy))) != bit[decoy]
        return SiftedClicks(chunk.index[matching], intensity, sampled, bit, error)

    def _sift_next(self) -> None:
        number = self._chunks_sifted
        self._chunks_sifted += 1
        chunk = self._asked.pop(number)
        reply, clicks = self._answered.pop(number)
        signal = clicks.intensity == Intensity.SIGNAL
        self.sifted_bits += int(np.count_nonzero(signal & ~clicks.sampled))
        self.sampled_bits += int(np.count_nonzero(signal & clicks.sampled))
        self.dropped = DroppedClicks(
            self.dropped.too_old + reply.too_old,
            self.dropped.too_new + reply.too_new,
            self.dropped.invalid + reply.invalid,
        )
        self._transcript.add_chunk(chunk.request, reply)
        for packet in self._assembler.feed(clicks):
            self._packets[packet.number] = packet
            following = packet.last_chunk + (packet.last_click == clicks.size - 1)
            self._transcript.begin_packet(packet, following)
        self._correct_early()

    def _end_sifting(self, now: float) -> None:
        if self._stage is _Stage.ENDING and not self._asked:
            message = PassEnd(self._chunks_asked)
            if ("pass_end", 0) not in self._requests:
                self._ask("pass_end", 0, message, now)

    def _accept_pass_end(self, reply: PassEndReply, now: float) -> bool:
        if self._stage is not _Stage.ENDING or ("pass_end", 0) not in self._requests:
            return False
        self._requests.close(("pass_end", 0))
        mine = (self._assembler.packets, self._assembler.pending_bits)
        if (reply.packets, reply.pending_bits) != mine:
            raise SessionError(
                f"the ends disagree on what was sifted: {mine[0]} packets and {mine[1]} bits here, "
                f"{reply.packets} and {reply.pending_bits} at the satellite"
            )
        self._stage = _Stage.DISTILLING
        self._go_on(now)
        return True

    def _accept_syndrome(self, message: Syndrome) -> bool:
        number = message.packet
        if number in self._results:
            self._send(self._results[number])
        elif number in self._packets or number in self._coming:
            self._syndromes.setdefault(number, message)
            self._correct_early()
        # Else the packet is being corrected; the result will be told.
        return True

    @property
    def _coming(self) -> range:
        """Packets whose syndromes may come before their last sifting replies."""
        packets = self._assembler.packets
        return range(packets, self._plan.end(packets) + _WINDOW)

    def _received(self, number: int) -> bool:
        """Whether all pulses of a packet's block have been received."""
        taking = self._stage in (_Stage.GREETING, _Stage.SIFTING)
        return not taking or self._assembler.packets >= self._plan.end(number)

    def _correct_early(self) -> None:
        """Correct the packets whose syndromes overtook the last sifting replies of their block."""
        for number in sorted(self._syndromes):
            if number in self._packets and self._received(number):
                self._correct(self._packets[number], self._syndromes.pop(number))

    def _correct(self, packet: SiftedPacket, message: Syndrome) -> None:
        """Begin to correct a packet."""
        del self._packets[packet.number]
        disclosure = Disclosure(message.code, message.syndrome, message.tag)
        distiller = self._parts.distiller

        def work() -> Correction | None:
            return distiller.correction(packet.bits, disclosure, message.key)

        def finish(correction: Correction | None, now: float) -> None:
            if correction is None:
                self._decide(packet, message, [], None, now)
            else:
                corrected = _Corrected(packet, message, correction, [])
                self._corrected[packet.number] = corrected
                self._attempt(corrected)

        self._queue(work, finish)

    def _attempt(self, item: _Corrected) -> None:
        """Try to correct a packet; ask for bits where that fails, or give up."""

        def work() -> tuple[NDArray[np.uint8] | None, NDArray[np.uint32]]:
            bits = item.correction.attempt()
            nothing = np.zeros(0, np.uint32)
            return bits, item.correction.doubtful() if bits is None else nothing

        def finish(result: tuple[NDArray[np.uint8] | None, NDArray[np.uint32]], now: float) -> None:
            bits, places = result
            if places.size:
                self._ask_bits(item, places, now)
            else:
                del self._corrected[item.packet.number]
                self._decide(item.packet, item.syndrome, item.told, bits, now)

        self._queue(work, finish)

    def _ask_bits(self, item: _Corrected, places: NDArray[np.uint32], now: float) -> None:
        number = item.packet.number
        indices = encode_indices(places.astype(np.uint64))
        item.request, item.places = BitsRequest(number, len(item.told), indices), places
        self._ask("bits", number, item.request, now)

    def _accept_bits(self, reply: BitsReply, now: float) -> bool:
        item = self._corrected.get(reply.packet)
        if item is None or item.request is None or item.places is None:
            return False
        if reply.round != item.request.round:
            return False
        self._requests.close(("bits", reply.packet))
        try:
            bits = unpack_bits(reply.bits, item.places.size)
        except CodingError:
            # An answer to something else: the satellite was asked in a false name.
            del self._corrected[reply.packet]
            self._decide(item.packet, item.syndrome, item.told, None, now)
            return True
        item.told.append((item.request, reply))
        item.correction.tell(item.places, bits)
        item.request = item.places = None
        self._attempt(item)
        return True

    def _decide(
        self,
        packet: SiftedPacket,
        message: Syndrome,
        told: list[tuple[BitsRequest, BitsReply]],
        corrected: NDArray[np.uint8] | None,
        now: float,
    ) -> None:
        """Take the outcome of a packet's correction, and tell the satellite."""
        good = corrected is not None
        errors = int(np.count_nonzero(corrected != packet.bits)) if good else 0
        result = PacketResult(packet.number, good, errors)
        self._results[packet.number] = result
        self._transcript.end_packet(message, told, result)
        leak_bits = Disclosure(message.code, message.syndrome, message.tag).leak_bits
        leak_bits += sum(8 * len(reply.bits) for _, reply in told)
        shannon_bits = packet.bits.size * binary_entropy(errors / packet.bits.size)
        self._outcomes[packet.number] = _Outcome(
            packet,
            packet.bits[:0] if corrected is None else corrected,
            errors,
            PacketStatistics(
                index=packet.number,
                time_s=_time_s(packet.last_index),
                good=good,
                qber=errors / packet.bits.size if good else None,
                sampled_qber=message.sampled_errors / max(message.sampled, 1),
                sampled=message.sampled,
                code=message.code,
                leak_bits=leak_bits,
                efficiency=leak_bits / shannon_bits if shannon_bits else None,
            ),
        )
        self._send(result)
        # Packets are used in their order, whatever the order in which their syndromes came.
        while len(self.packets) in self._outcomes:
            outcome = self._outcomes.pop(len(self.packets))
            self.packets.append(outcome.statistics)
            if outcome.statistics.good:
                self._good.append(outcome)
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Begin what can be begun.

        One signed message at a time, so that one-time keys are used in the order in which they
        are drawn.
        """
        if self._amplifying or self._block or self._settling_name:
            return
        if self._to_settle:
            self._settle(now)
            return
        decided = len(self.packets) == self._assembler.packets
        last = self._stage is _Stage.DISTILLING and decided
        while self._next_packet < len(self.packets):
            end = self._plan.end(self._next_packet)
            if len(self.packets) < end and not last:
                return
            self._next_packet = end
            outcomes = [item for item in self._good if item.packet.number < end]
            self._good = self._good[len(outcomes) :]
            if outcomes:
                self._amplify(outcomes)
                return
        if last:
            self._stage = _Stage.LEAVING
            self._ask("goodbye", 0, Goodbye(len(self.blocks)), now)

    def _amplify(self, outcomes: list[_Outcome]) -> None:
        """Compute length and key of a block, then order it."""
        self._amplifying = True
        parts = self._parts
        statistics = _block_statistics(len(self.blocks), outcomes)
        dropped = self._plan.dropped(statistics.packets, self._assembler.packets)
        bits = np.concatenate([outcome.bits for outcome in outcomes])

        def work() -> tuple[KeyLength, bytes, bytes]:
            counts = BlockCounts(
                signal=statistics.signal,
                decoy=statistics.decoy,
                vacuum=statistics.vacuum,
                decoy_errors=statistics.decoy_errors,
            )
            errors = round(statistics.qber * statistics.signal)
            length = parts.distiller.key_length(counts, errors, statistics.leak_bits, dropped)
            seed_bits = bits.size + length.length_bits - 1 if length.length_bits else 0
            seed = parts.random.draw("toeplitz", (seed_bits + 7) // 8)
            return length, seed, parts.distiller.amplify(bits, seed, length.length_bits)

        def finish(result: tuple[KeyLength, bytes, bytes], now: float) -> None:
            length, seed, key = result
            self._order(statistics, length, seed, key, now)

        self._queue(work, finish)

    def _order(
        self, statistics: BlockStatistics, length: KeyLength, seed: bytes, key: bytes, now: float
    ) -> None:
        """Sign and send the instruction of a block."""
        self._amplifying = False
        offset, one_time_key = self._parts.secret.draw()
        unsigned = AmplifyInstruction(
            session=self._session,
            block=statistics.index,
            packets=statistics.packets,
            signal=statistics.signal,
            decoy=statistics.decoy,
            vacuum=statistics.vacuum,
            decoy_errors=statistics.decoy_errors,
            leak_bits=statistics.leak_bits,
            length=length.length_bits,
            seed=seed,
            key_offset=offset,
        )
        tag = authenticate(one_time_key, self._signed_parts(unsigned, statistics.packets))
        instruction = msgspec.structs.replace(unsigned, tag=tag)
        statistics = msgspec.structs.replace(
            statistics, s1=length.s1, e1=length.e1, length_bits=length.length_bits
        )
        self._block = _Block(instruction, key, statistics)
        self._ask("amplify", statistics.index, instruction, now)

    def _accept_confirm(self, message: AmplifyConfirm, now: float) -> bool:
        block = self._block
        if block is None or (message.session, message.block) != (
            self._session,
            block.instruction.block,
        ):
            return False
        self._requests.close(("amplify", message.block))
        abandoned = f"the satellite refused: {message.refusal}" if message.refusal else ""
        if not abandoned and not self._genuine(message, block):
            abandoned = "the satellite's confirmation is not genuine, or its key is another one"
        name = self._key_name(message.block)
        if block.key and not abandoned:
            self._parts.store.add(name, block.key, KeyState.READY)
            self._count_key(block.key)
        if block.key:
            self._to_settle.append((name, not abandoned))
        self.blocks.append(
            msgspec.structs.replace(
                block.statistics,
                length_bits=0 if abandoned else block.statistics.length_bits,
                abandoned=abandoned,
            )
        )
        self._transcript.forget(block.instruction.packets)
        self._block = None
        self._go_on(now)
        return True

    def _genuine(self, message: AmplifyConfirm, block: _Block) -> bool:
        one_time_key = self._parts.secret.expected(message.key_offset)
        if one_time_key is None:
            return False
        unsigned = msgspec.structs.replace(message, tag=b"")
        parts = self._signed_parts(unsigned, block.instruction.packets)
        parts += [encode_message(block.instruction), block.key]
        if not verify(one_time_key, parts, message.tag):
            return False
        self._parts.secret.accept(message.key_offset)
        return True

    def _settle(self, now: float) -> None:
        """Tell the satellite about the next key whether it may be used."""
        name, stored = self._to_settle.popleft()
        offset, one_time_key = self._parts.secret.draw()
        unsigned = Settle(name, stored, offset)
        tag = authenticate(one_time_key, self._signed_parts(unsigned, []))
        self._settling_name = name
        self._ask("settle", name, msgspec.structs.replace(unsigned, tag=tag), now)

    def _accept_settled(self, message: SettleReply, now: float) -> bool:
        if message.key != self._settling_name:
            return False
        self._requests.close(("settle", message.key))
        self._settling_name = ""
        self._go_on(now)
        return True


def _time_s(index: int) -> float:
    return index * SLOT_PS * 1e-12


def _block_statistics(number: int, outcomes: list[_Outcome]) -> BlockStatistics:
    """Statistics of a block before its length is known."""
    packets = [outcome.packet for outcome in outcomes]
    signal = sum(packet.bits.size for packet in packets)
    return BlockStatistics(
        index=number,
        time_s=_time_s(packets[-1].last_index),
        packets=[packet.number for packet in packets],
        signal=signal,
        decoy=sum(packet.decoy for packet in packets),
        vacuum=sum(packet.vacuum for packet in packets),
        decoy_errors=sum(packet.decoy_errors for packet in packets),
        qber=sum(outcome.errors for outcome in outcomes) / signal,
        leak_bits=sum(outcome.statistics.leak_bits for outcome in outcomes),
        s1=0.0,
        e1=0.5,
        length_bits=0,
        abandoned="",
    )
