"""The simulated boards as their links show them."""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.identity import Role
from keybeam.protocol.link import (
    CREDIT_BITS,
    CREDIT_LEAST,
    CREDIT_OF_FRAME,
    LINK_DELIMITER,
    LOOKUP_MAXIMUM,
    MESSAGE_MAXIMUM,
    PAYLOAD_ADDRESS,
    PAYLOAD_MAXIMUM,
    RECORD_NUMBER_BITS,
    TAGS_MAXIMUM,
    FrameKind,
    LinkError,
    LinkFrameError,
    decode_link_frame,
    encode_link_frame,
)
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.records import (
    DETECTOR_CHANNELS,
    FRAME_VALID,
    Channel,
    RecordType,
    pack_records,
    record_channel,
    record_type,
)
from keybeam_sim.twin.registers import RegisterFile
from keybeam_sim.twin.simulation import PassSimulation

__all__ = ["ReceiverBoard", "TransmitterBoard"]

_ONCE_ONLY = (FrameKind.REGISTER_WRITE, FrameKind.LOOKUP, FrameKind.PAYLOAD)
_LONGEST_FRAME = 1024
_RELEASED = 2  # of random.status.state_a: the chip passed its start-up test


class _Board:
    """The board's end of a link: requests in, answers out.

    Parameters
    ----------
    role : Role
        Which board.
    simulation : PassSimulation
        The pass it takes part in.

    Attributes
    ----------
    registers : RegisterFile
        Its registers.
    """

    def __init__(self, role: Role, simulation: PassSimulation) -> None:
        self.registers = RegisterFile(role)
        self.simulation = simulation
        self._rest = b""
        self._accepted = self._dropped = 0
        self.registers.on_read["link.frames_accepted"] = self._show_frames
        self.registers.on_read["link.frames_dropped"] = self._show_frames
        self._last: tuple[int, int] | None = None
        self._last_answer = b""
        self._requests: dict[int, Callable[[int, bytes], bytes]] = {
            FrameKind.REGISTER_READ: self._read,
            FrameKind.REGISTER_WRITE: self._write,
        }

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the host; the bytes of the answers."""
        *frames, rest = (self._rest + data).split(LINK_DELIMITER)
        self._rest = rest[-_LONGEST_FRAME:]
        return b"".join(self._frame(frame) for frame in frames if frame)

    def _frame(self, stuffed: bytes) -> bytes:
        try:
            kind, sequence, body = decode_link_frame(stuffed)
        except LinkFrameError:
            self._dropped += 1
            return b""
        self._accepted += 1
        if kind in _ONCE_ONLY and self._last == (kind, sequence):
            return self._last_answer
        request = self._requests.get(kind)
        if request is None:
            answer = _refuse(sequence, PAYLOAD_ADDRESS, LinkError.UNSUPPORTED)
        else:
            answer = request(sequence, body)
        self._last, self._last_answer = (kind, sequence), answer
        return answer

    def _show_frames(self) -> None:
        self.registers.set("link.frames_accepted", self._accepted % (1 << 32))
        self.registers.set("link.frames_dropped", self._dropped % (1 << 32))

    def _read(self, sequence: int, body: bytes) -> bytes:
        if len(body) != 2:
            return _refuse(sequence, PAYLOAD_ADDRESS, LinkError.MALFORMED)
        value = self.registers.read(int.from_bytes(body, "little"))
        if isinstance(value, LinkError):
            return _refuse(sequence, int.from_bytes(body, "little"), value)
        return _value(sequence, body, value)

    def _write(self, sequence: int, body: bytes) -> bytes:
        if len(body) != 6:
            return _refuse(sequence, PAYLOAD_ADDRESS, LinkError.MALFORMED)
        address, value = int.from_bytes(body[:2], "little"), int.from_bytes(body[2:], "little")
        error = self.registers.write(address, value)
        if error is not None:
            return _refuse(sequence, address, error)
        return _value(sequence, body[:2], value)


def _value(sequence: int, address: bytes, value: int) -> bytes:
    body = address + value.to_bytes(4, "little")
    return encode_link_frame(FrameKind.REGISTER_VALUE, sequence, body)


def _refuse(sequence: int, address: int, reason: LinkError) -> bytes:
    body = address.to_bytes(2, "little") + bytes([reason])
    return encode_link_frame(FrameKind.REGISTER_ERROR, sequence, body)


class TransmitterBoard(_Board):
    """The satellite's board.

    Parameters
    ----------
    simulation : PassSimulation
        Started by ``transmitter.control.run``.

    Attributes
    ----------
    payload : bytearray
        Bytes that wait for the downlink.
    """

    _PAYLOAD_BUFFER = 4096

    def __init__(self, simulation: PassSimulation) -> None:
        super().__init__(Role.TRANSMITTER, simulation)
        self.payload = bytearray()
        self._requests[FrameKind.LOOKUP] = self._lookup
        self._requests[FrameKind.PAYLOAD] = self._take_payload
        self.registers.set("log.size.frames", simulation.settings.log_frames)
        self.registers.set("log.status.initialised", 1)
        self.registers.set("log.status.passed", 1)
        self.registers.set("random.status.live", 1)
        self.registers.set("random.status.state_a", _RELEASED)
        self.registers.on_read["transmitter.status"] = self._show_status
        self.registers.on_read["log.status"] = self._show_status
        self.registers.on_read["transmitter.payload"] = self._show_payload
        self.registers.on_write["transmitter.control"] = self._control
        self.registers.on_write["transmitter.snapshot"] = self._snapshot

    def _show_status(self) -> None:
        started, finished = self.simulation.started, self.simulation.finished
        self.registers.set("transmitter.status.running", int(started and not finished))
        self.registers.set("transmitter.status.finished", int(finished))
        self.registers.set("log.status.held", int(started))

    def _show_payload(self) -> None:
        self.registers.set("transmitter.payload.level", len(self.payload))
        self.registers.set("transmitter.payload.free", self._PAYLOAD_BUFFER - len(self.payload))

    def _control(self, _: int) -> None:
        if self.registers.get("transmitter.control.run"):
            self.simulation.start(
                self.registers.get("transmitter.start_counter"),
                self.registers.get("transmitter.stop_after"),
            )
        elif self.simulation.started:
            self.simulation.stop()

    def _snapshot(self, _: int) -> None:
        first = self.simulation.first_frame * FRAME_SLOTS
        self.registers.set("transmitter.frame.counter", self.simulation.sending_frame)
        self.registers.set("transmitter.first_pulse_index.index", first)

    def _lookup(self, sequence: int, body: bytes) -> bytes:
        count, odd = divmod(len(body), 8)
        if odd or not 1 <= count <= LOOKUP_MAXIMUM:
            return _refuse(sequence, PAYLOAD_ADDRESS, LinkError.MALFORMED)
        status, symbols = self.simulation.lookup(np.frombuffer(body, "<u8"))
        answer = (status << np.uint8(4) | symbols).tobytes()
        return encode_link_frame(FrameKind.LOOKUP_ANSWER, sequence, answer)

    def _take_payload(self, sequence: int, body: bytes) -> bytes:
        if not 1 <= len(body) <= PAYLOAD_MAXIMUM:
            return _refuse(sequence, PAYLOAD_ADDRESS, LinkError.MALFORMED)
        if len(self.payload) + len(body) > self._PAYLOAD_BUFFER:
            return _refuse(sequence, PAYLOAD_ADDRESS, LinkError.NO_ROOM)
        self.payload += body
        address = PAYLOAD_ADDRESS.to_bytes(2, "little")
        return _value(sequence, address, self._PAYLOAD_BUFFER - len(self.payload))


class ReceiverBoard(_Board):
    """The ground station's board.

    Parameters
    ----------
    simulation : PassSimulation
        Advanced by `advance`.
    """

    def __init__(self, simulation: PassSimulation) -> None:
        super().__init__(Role.RECEIVER, simulation)
        self._records = self._spent = self._granted = 0
        self._waiting: deque[NDArray[np.uint64]] = deque()
        self._frames = {FrameKind.TAGS: 0, FrameKind.MESSAGE: 0}
        self._counts = dict.fromkeys(Channel, 0)
        self._good = 0
        self._fences: list[int] = []
        self.registers.on_read["receiver.status"] = self._show_status
        self.registers.on_write["receiver.snapshot"] = self._snapshot
        self.registers.on_write["receiver.fence"] = self._fences.append
        self.registers.on_write["receiver.epoch"] = self._set_epoch
        self.registers.on_write["credit.grant"] = self._grant
        for name in ("granted", "spent", "records"):
            self.registers.on_read[f"credit.{name}"] = self._show_credit

    @property
    def streaming(self) -> bool:
        """Whether records are let out."""
        return bool(self.registers.get("receiver.control.stream"))

    @property
    def waiting(self) -> bool:
        """Whether records wait for credit; the pass must not `advance` then."""
        return bool(self._waiting)

    def advance(self) -> bytes:
        """Let the pass go on; the bytes of the TAGS frames for which there is credit.

        Other than on a board, time waits here for the host: no record is lost.
        """
        records = self.simulation.advance()
        types, channels = record_type(records), record_channel(records)
        channel = np.where(types == RecordType.TAG, channels, Channel.SYNC)
        enabled = self.registers.get("receiver.channels.enable") >> channel & 1
        kept = (types == RecordType.EPOCH) | (enabled == 1)
        records, types, channels = records[kept], types[kept], channels[kept]
        tags = np.bincount(channels[types == RecordType.TAG], minlength=len(Channel))
        for channel in DETECTOR_CHANNELS:
            self._counts[channel] += int(tags[channel])
        self._counts[Channel.SYNC] += int(np.count_nonzero(types == RecordType.SYNC))
        headers = channels[types == RecordType.FRAME]
        self._good += int(np.count_nonzero(headers & FRAME_VALID))
        return self._queued(records)

    def fences(self) -> bytes:
        """Bytes of the TAGS frame with the FENCE records that were asked for."""
        values, self._fences[:] = np.array(self._fences, np.int64), []
        return self._queued(pack_records(RecordType.FENCE, 0, values))

    def message(self, payload: bytes) -> bytes:
        """Bytes of the MESSAGE frames for what came over the downlink."""
        return b"".join(
            self._numbered(FrameKind.MESSAGE, payload[start : start + MESSAGE_MAXIMUM])
            for start in range(0, len(payload), MESSAGE_MAXIMUM)
        )

    def _queued(self, records: NDArray[np.uint64]) -> bytes:
        """Let records wait behind the others; the frames for which there is credit."""
        self._waiting.extend(
            records[start : start + TAGS_MAXIMUM] for start in range(0, records.size, TAGS_MAXIMUM)
        )
        return self.released()

    def released(self) -> bytes:
        """Bytes of the TAGS frames of waiting records for which there is credit."""
        frames = []
        while self._waiting and (self._granted - self._spent) % (1 << CREDIT_BITS) >= CREDIT_LEAST:
            part = self._waiting.popleft()
            number = self._records.to_bytes(RECORD_NUMBER_BITS // 8, "little")
            data = part.astype("<u8", copy=False).tobytes()
            frames.append(self._numbered(FrameKind.TAGS, number + data))
            self._records = (self._records + part.size) % (1 << RECORD_NUMBER_BITS)
            self._spent = (self._spent + part.size + CREDIT_OF_FRAME) % (1 << CREDIT_BITS)
        return b"".join(frames)

    def _grant(self, value: int) -> None:
        if (value - self._granted) % (1 << CREDIT_BITS) < 1 << (CREDIT_BITS - 1):
            self._granted = value

    def _show_credit(self) -> None:
        self.registers.set("credit.granted", self._granted)
        self.registers.set("credit.spent", self._spent)
        self.registers.set("credit.records", self._records)

    def _numbered(self, kind: FrameKind, body: bytes) -> bytes:
        sequence = self._frames[kind]
        self._frames[kind] = (sequence + 1) % 256
        return encode_link_frame(kind, sequence, body)

    def _set_epoch(self, period: int) -> None:
        self.simulation.receiver.set_epoch(max(period, 1) << 10)

    def _show_status(self) -> None:
        locked = 2 if self.simulation.frames else 0
        self.registers.set("receiver.status.signal", int(self.simulation.started))
        self.registers.set("receiver.status.sync_state", locked)

    def _snapshot(self, _: int) -> None:
        self.registers.set("receiver.time.cycle", self.simulation.cycle % (1 << 40))
        self.registers.set("receiver.syncs_seen.count", self._counts[Channel.SYNC] % (1 << 32))
        self.registers.set("receiver.frames_good.count", self._good % (1 << 32))
        for channel, count in self._counts.items():
            for name in ("arrived", "merged"):
                self.registers.set(f"receiver.{name}_{channel.name.lower()}.count", count)
