"""The ground station's end of a session: the receiver, "Bob"."""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

import msgspec
import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import BlockCounts
from keybeam.key_length import KeyLength
from keybeam.keystore import KeyState
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
    Syndrome,
    encode_message,
)
from keybeam.session.outcomes import PacketOutcome, block_statistics, packet_outcome
from keybeam.session.sift_exchange import SiftExchange
from keybeam.session.statistics import BlockStatistics, DroppedClicks, PacketStatistics
from keybeam.sifting import (
    CodingError,
    SiftedPacket,
    encode_indices,
    unpack_bits,
)

__all__ = ["GroundSession"]

_WINDOW = 4
"""Chunks that may be unanswered before no further clicks are taken."""


class _Stage(Enum):
    GREETING = auto()
    SIFTING = auto()
    ENDING = auto()
    DISTILLING = auto()
    LEAVING = auto()


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
    """

    def __init__(self, parts: EndpointParts) -> None:
        super().__init__(parts)
        self._stage = _Stage.GREETING
        self._sifting = SiftExchange(parts.parameters, parts.random, self._transcript)
        self._plan = BlockPlan(parts.parameters.block_packets)
        self._packets: dict[int, SiftedPacket] = {}
        self._syndromes: dict[int, Syndrome] = {}
        self._corrected: dict[int, _Corrected] = {}
        self._results: dict[int, PacketResult] = {}
        self._outcomes: dict[int, PacketOutcome] = {}
        self._good: list[PacketOutcome] = []
        self._next_packet = 0
        self._block: _Block | None = None
        self._amplifying = False
        self._to_settle: deque[tuple[str, bool]] = deque()
        self._settling_name = ""
        self.packets: list[PacketStatistics] = []
        self.blocks: list[BlockStatistics] = []

    @property
    def sifted_bits(self) -> int:
        """Sifted bits so far."""
        return self._sifting.sifted_bits

    @property
    def sampled_bits(self) -> int:
        """Signal bits revealed so far."""
        return self._sifting.sampled_bits

    @property
    def dropped(self) -> DroppedClicks:
        """Clicks that the satellite could not sift so far."""
        return self._sifting.dropped

    @property
    def ready(self) -> bool:
        """Whether clicks are taken now: the session is open, and few enough chunks wait."""
        return self._stage is _Stage.SIFTING and self._sifting.unanswered < _WINDOW

    @property
    def leftover_bits(self) -> int:
        """Sifted bits that made no full packet."""
        return self._sifting.pending_bits

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
        for chunk in self._sifting.cut(clicks):
            self._ask_chunk(chunk, now)
        return self._taken()

    def end_pass(self, now: float) -> list[Message]:
        """Note that there are no more clicks; return the messages to send."""
        for chunk in self._sifting.cut_rest():
            self._ask_chunk(chunk, now)
        self._stage = _Stage.ENDING
        self._correct_early()
        self._end_sifting(now)
        return self._taken()

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

    def _ask_chunk(self, clicks: NDArray[np.void], now: float) -> None:
        request = self._sifting.ask(clicks)
        self._ask("sift", request.chunk, request, now)

    def _accept_sift(self, reply: SiftReply, now: float) -> bool:
        packets = self._sifting.accept(reply)
        if packets is None:
            return False
        self._requests.close(("sift", reply.chunk))
        for packet in packets:
            self._packets[packet.number] = packet
        self._correct_early()
        self._end_sifting(now)
        return True

    def _end_sifting(self, now: float) -> None:
        if self._stage is _Stage.ENDING and not self._sifting.unanswered:
            message = PassEnd(self._sifting.chunks)
            if ("pass_end", 0) not in self._requests:
                self._ask("pass_end", 0, message, now)

    def _accept_pass_end(self, reply: PassEndReply, now: float) -> bool:
        if self._stage is not _Stage.ENDING or ("pass_end", 0) not in self._requests:
            return False
        self._requests.close(("pass_end", 0))
        mine = (self._sifting.packets, self._sifting.pending_bits)
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
        packets = self._sifting.packets
        return range(packets, self._plan.end(packets) + _WINDOW)

    def _received(self, number: int) -> bool:
        """Whether all pulses of a packet's block have been received."""
        taking = self._stage in (_Stage.GREETING, _Stage.SIFTING)
        return not taking or self._sifting.packets >= self._plan.end(number)

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
        outcome = packet_outcome(packet, message, [reply for _, reply in told], corrected)
        result = PacketResult(packet.number, outcome.statistics.good, outcome.errors)
        self._results[packet.number] = result
        self._transcript.end_packet(message, told, result)
        self._outcomes[packet.number] = outcome
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
        decided = len(self.packets) == self._sifting.packets
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

    def _amplify(self, outcomes: list[PacketOutcome]) -> None:
        """Compute length and key of a block, then order it."""
        self._amplifying = True
        parts = self._parts
        statistics = block_statistics(len(self.blocks), outcomes)
        dropped = self._plan.dropped(statistics.packets, self._sifting.packets)
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
