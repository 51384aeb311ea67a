"""A model of a board after `keybeam.protocol.link`, and ways to reach it: memory, pty, TCP."""

import os
import random
import select
import socket
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from keybeam.device.register_map import load_register_map
from keybeam.device.transports import Transport
from keybeam.protocol.identity import ABI_VERSION, IDENTITY_MAGIC, IdentityAddress, Role
from keybeam.protocol.link import (
    PAYLOAD_ADDRESS,
    FrameKind,
    LinkError,
    LinkFrameError,
    decode_link_frame,
    encode_link_frame,
)


class BoardModel:
    """Takes bytes from a host and gives the bytes of a board.

    Attributes
    ----------
    words : dict of int to int
        Content of the registers, by address.
    writes : list of (int, int)
        Every write that was carried out.
    payload : bytes
        Bytes taken for the downlink; at most `payload_bytes`.
    """

    def __init__(self, role=Role.RECEIVER, map_hash=None, payload_bytes=300):
        self.map = load_register_map(role)
        self.words = {
            register.address + word: 0
            for register in self.map.registers
            for word in range(register.words)
        }
        self.writable = {
            register.address + word
            for register in self.map.registers
            if register.access != "r"
            for word in range(register.words)
        }
        self.words |= {
            IdentityAddress.MAGIC: IDENTITY_MAGIC,
            IdentityAddress.ABI: ABI_VERSION,
            IdentityAddress.ROLE: role,
            IdentityAddress.MAP_HASH: int(map_hash or self.map.hash, 16),
            IdentityAddress.REVISION: 0xC0FFEE,
        }
        self.writes, self.payload, self.payload_bytes = [], b"", payload_bytes
        self.lookups = 0
        self._rest, self._last, self._answer = b"", None, b""
        self._tags, self._messages, self._record = 0, 0, 0

    def address(self, name):
        return self.map.find(name)[0].address

    def feed(self, data):
        """Answers, as bytes, to what the host sends."""
        *frames, self._rest = (self._rest + data).split(b"\0")
        out = b""
        for stuffed in filter(None, frames):
            try:
                kind, sequence, body = decode_link_frame(stuffed)
            except LinkFrameError:
                continue
            if (kind, sequence) != self._last or kind == FrameKind.REGISTER_READ:
                self._answer = encode_link_frame(*self._carry_out(kind, sequence, body))
            self._last = None if kind == FrameKind.REGISTER_READ else (kind, sequence)
            out += self._answer
        return out

    def _carry_out(self, kind, sequence, body):
        def refuse(error, address=body[:2]):
            return FrameKind.REGISTER_ERROR, sequence, address + bytes([error])

        nowhere = PAYLOAD_ADDRESS.to_bytes(2, "little")
        if kind in (FrameKind.REGISTER_READ, FrameKind.REGISTER_WRITE):
            address = int.from_bytes(body[:2], "little")
            if address not in self.words:
                return refuse(LinkError.NO_REGISTER)
            if kind == FrameKind.REGISTER_WRITE:
                if address not in self.writable:
                    return refuse(LinkError.READ_ONLY)
                self.words[address] = int.from_bytes(body[2:], "little")
                self.writes.append((address, self.words[address]))
            value = self.words[address].to_bytes(4, "little")
            return FrameKind.REGISTER_VALUE, sequence, body[:2] + value
        if self.words[IdentityAddress.ROLE] != Role.TRANSMITTER:
            return refuse(LinkError.UNSUPPORTED, nowhere)
        if kind == FrameKind.LOOKUP:
            self.lookups += 1
            answer = symbol_bytes(np.frombuffer(body, "<u8"))
            return FrameKind.LOOKUP_ANSWER, sequence, answer.tobytes()
        if len(self.payload) + len(body) > self.payload_bytes:
            return refuse(LinkError.NO_ROOM, nowhere)
        self.payload += body
        free = self.payload_bytes - len(self.payload)
        return FrameKind.REGISTER_VALUE, sequence, nowhere + free.to_bytes(4, "little")

    def tags(self, records):
        """A frame of records."""
        number = self._record.to_bytes(4, "little")
        frame = encode_link_frame(
            FrameKind.TAGS, self._tags, number + np.asarray(records, "<u8").tobytes()
        )
        self._tags = (self._tags + 1) % 256
        self._record = (self._record + len(records)) % 2**32
        return frame

    def message(self, content):
        """A frame of message bytes."""
        frame = encode_link_frame(FrameKind.MESSAGE, self._messages, content)
        self._messages = (self._messages + 1) % 256
        return frame


def symbol_bytes(indices):
    """What the model's state log answers: some status and symbol that depend on the index."""
    return (
        (indices % np.uint64(3)) << np.uint64(4) | (indices >> np.uint64(7)) % np.uint64(16)
    ).astype(np.uint8)


class Faults:
    """Spoils bytes on the way: loses, changes and doubles them, each with a probability."""

    def __init__(self, seed, loss=0.0, change=0.0, double=0.0):
        self._random = random.Random(seed)
        self._loss, self._change, self._double = loss, change, double

    def __call__(self, data):
        out = bytearray()
        for byte in data:
            if self._random.random() < self._loss:
                continue
            if self._random.random() < self._change:
                byte ^= self._random.randrange(1, 256)
            out.append(byte)
            if self._random.random() < self._double:
                out.append(byte)
        return bytes(out)


class MemoryTransport(Transport):
    """Reaches a model without anything between; what the board says waits in `incoming`."""

    def __init__(self, model, to_board=bytes, to_host=bytes, answer_timeout=0.002):
        super().__init__("memory", answer_timeout)
        self._model, self._to_board, self._to_host = model, to_board, to_host
        self.incoming = b""
        self.closed = False

    def write(self, data):
        self.incoming += self._to_host(self._model.feed(self._to_board(data)))

    def read(self, timeout):
        data, self.incoming = self.incoming, b""
        return data

    def close(self):
        self.closed = True


@contextmanager
def _serving(serve):
    """Run `serve(stopped)` in a thread; `stopped` is a descriptor that becomes readable."""
    stopped, stop = os.pipe()
    thread = threading.Thread(target=serve, args=(stopped,))
    thread.start()
    try:
        yield
    finally:
        os.write(stop, b"x")
        thread.join(10)
        assert not thread.is_alive()
        os.close(stop)
        os.close(stopped)


@contextmanager
def serve_pty(model, to_board=bytes, to_host=bytes):
    """Serve a model on a pseudo-terminal; gives its path."""
    master, slave = os.openpty()

    def serve(stopped):
        while stopped not in (ready := select.select([master, stopped], [], [])[0]):
            assert master in ready
            os.write(master, to_host(model.feed(to_board(os.read(master, 4096)))))

    try:
        with _serving(serve):
            yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@contextmanager
def serve_tcp(model, to_board=bytes, to_host=bytes, greeting=b""):
    """Serve a model on a TCP port, to one host after the other; gives the port's name."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(stopped):
        connection = None
        while stopped not in select.select([connection or listener, stopped], [], [])[0]:
            if connection is None:
                connection = listener.accept()[0]
                connection.sendall(greeting)
            elif data := connection.recv(4096):
                connection.sendall(to_host(model.feed(to_board(data))))
            else:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    try:
        with _serving(serve):
            yield f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


@pytest.fixture
def device():
    """The model of a board, faults, and ways to reach the model."""
    return SimpleNamespace(
        BoardModel=BoardModel,
        Faults=Faults,
        MemoryTransport=MemoryTransport,
        serve_pty=serve_pty,
        serve_tcp=serve_tcp,
        symbol_bytes=symbol_bytes,
    )
