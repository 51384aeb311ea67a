"""The served twin, driven by the host's own device code and by plain sockets."""

import socket
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from keybeam.device import Board, Receiver, RecordLoss, Transmitter
from keybeam.protocol.identity import IDENTITY_MAGIC, IdentityAddress
from keybeam.protocol.link import (
    FrameKind,
    LinkError,
    LookupStatus,
    decode_link_frame,
    encode_link_frame,
)
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.records import RecordType, record_body, record_type
from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin import PassSimulation, TwinProcess, TwinServer, TwinSettings

SCENARIO = PassScenario(duration_s=0.4)
SETTINGS = TwinSettings(tail_frames=64)


@contextmanager
def served(scenario=SCENARIO, settings=SETTINGS):
    with TwinServer(scenario, settings) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join()


def expected_records(scenario=SCENARIO, first_frame=0):
    simulation = PassSimulation(scenario, SETTINGS)
    simulation.start(first_frame)
    parts = []
    while not simulation.over:
        parts.append(simulation.advance())
    return np.concatenate(parts)


def collect(receiver, count):
    parts = []
    while sum(part.size for part in parts) < count:
        part = receiver.records(timeout=20.0)
        assert not isinstance(part, RecordLoss)
        assert part.size, "the twin stopped"
        parts.append(part)
    return np.concatenate(parts)


def test_a_pass_through_the_device_code():
    expected = expected_records(first_frame=12)
    with (
        served() as server,
        Transmitter(server.transmitter_url) as transmitter,
        Receiver(server.receiver_url) as receiver,
    ):
        assert transmitter.read("transmitter.status.running") == 0
        transmitter.write("transmitter.start_counter.counter", 12)
        receiver.write("receiver.control.stream", 1)
        assert receiver.records().size == 0
        transmitter.write("transmitter.control.run", 1)
        np.testing.assert_array_equal(collect(receiver, expected.size), expected)

        assert transmitter.read("transmitter.status.finished") == 1
        transmitter.write("transmitter.snapshot.take", 1)
        assert transmitter.read("transmitter.first_pulse_index.index") == 12 * FRAME_SLOTS
        assert transmitter.read("transmitter.frame.counter") > 12 + 3814
        receiver.write("receiver.snapshot.take", 1)
        types = record_type(expected)
        assert receiver.read("receiver.syncs_seen.count") == np.count_nonzero(
            types == RecordType.SYNC
        )
        assert receiver.read("receiver.status.sync_state") == 2

        indices = np.arange(15 * FRAME_SLOTS, 15 * FRAME_SLOTS + 100, dtype=np.uint64)
        status, symbols = transmitter.lookup(indices)
        assert (status == LookupStatus.FOUND).all()
        np.testing.assert_array_equal(symbols, server.simulation.lookup(indices)[1])


def test_no_time_passes_while_nobody_takes_the_records():
    """A host that reads nothing finds a twin that is a bounded stretch ahead, not at the end."""
    scenario = PassScenario(duration_s=300.0)
    with (
        served(scenario) as server,
        Transmitter(server.transmitter_url) as transmitter,
        socket.create_connection(_address(server.receiver_url)) as receiver,
    ):
        transmitter.write("transmitter.control.run", 1)
        receiver.sendall(_frame(FrameKind.REGISTER_WRITE, 1, _write_of("receiver.control")))
        frames, seen = -1, 0
        while frames != (seen := server.simulation.frames) or seen == 0:
            frames = seen
            for _ in range(20):
                transmitter.read("transmitter.status.running")
        assert server.simulation.frames < 10 * 9537


def _address(url):
    _, host, port = url.split(":")
    return host, int(port)


def _frame(kind, sequence, body):
    return encode_link_frame(kind, sequence, body)


def _write_of(name, value=1):
    from keybeam.device.register_map import load_register_map
    from keybeam.protocol.identity import Role

    register, _ = load_register_map(Role.RECEIVER).find(name)
    return register.address.to_bytes(2, "little") + value.to_bytes(4, "little")


def _answers(connection, count):
    data = b""
    while data.count(b"\0") < count:
        data += connection.recv(4096)
    return [decode_link_frame(frame) for frame in data.split(b"\0")[:count]]


def test_frames_byte_by_byte():
    with served() as server, socket.create_connection(_address(server.receiver_url)) as link:
        address = int(IdentityAddress.MAGIC).to_bytes(2, "little")
        for byte in _frame(FrameKind.REGISTER_READ, 9, address):
            link.sendall(bytes([byte]))
        (answer,) = _answers(link, 1)
        value = address + IDENTITY_MAGIC.to_bytes(4, "little")
        assert answer == (FrameKind.REGISTER_VALUE, 9, value)

        spoilt = bytearray(_frame(FrameKind.REGISTER_READ, 10, address))
        spoilt[3] ^= 0x40
        missing = (0x7FFF).to_bytes(2, "little")
        link.sendall(
            bytes(spoilt)
            + _frame(FrameKind.REGISTER_READ, 11, missing)
            + _frame(FrameKind.REGISTER_WRITE, 12, address + bytes(4))
            + _frame(FrameKind.REGISTER_READ, 13, b"abc")
            + _frame(FrameKind.LOOKUP, 14, bytes(8))
        )
        errors = [
            (sequence, body[2])
            for kind, sequence, body in _answers(link, 4)
            if kind == FrameKind.REGISTER_ERROR
        ]
        assert errors == [
            (11, LinkError.NO_REGISTER),
            (12, LinkError.READ_ONLY),
            (13, LinkError.MALFORMED),
            (14, LinkError.UNSUPPORTED),
        ]


def test_a_repeated_write_is_carried_out_once():
    with served() as server, socket.create_connection(_address(server.receiver_url)) as link:
        fence = _frame(FrameKind.REGISTER_WRITE, 3, _write_of("receiver.fence", 77))
        link.sendall(_frame(FrameKind.REGISTER_WRITE, 2, _write_of("receiver.control")))
        link.sendall(_frame(FrameKind.REGISTER_WRITE, 4, _write_of("credit.grant", 1000)))
        link.sendall(fence + fence)
        frames = _answers(link, 5)
        kinds = [kind for kind, _, _ in frames]
        assert kinds.count(FrameKind.REGISTER_VALUE) == 4
        (body,) = [body for kind, _, body in frames if kind == FrameKind.TAGS]
        records = np.frombuffer(body[4:], "<u8")
        assert record_type(records).tolist() == [RecordType.FENCE]
        assert record_body(records).tolist() == [77]


def test_payload_comes_out_as_message():
    with (
        served() as server,
        Transmitter(server.transmitter_url) as transmitter,
        Receiver(server.receiver_url) as receiver,
    ):
        payload = bytes(range(256)) * 3
        transmitter.send_payload(payload)
        got = b""
        while len(got) < len(payload):
            got += b"".join(receiver.messages(timeout=20.0))
        assert got == payload


def test_a_board_that_is_in_use_is_busy():
    with served() as server, Board(server.receiver_url) as board:
        with socket.create_connection(_address(server.receiver_url)) as second:
            assert second.recv(1) == b""
        assert board.read("identity.scratch") == 0
        board.write("identity.scratch", 5)
        assert board.read("identity.scratch") == 5


def test_channels_can_be_switched_off():
    with (
        served() as server,
        Transmitter(server.transmitter_url) as transmitter,
        Receiver(server.receiver_url) as receiver,
    ):
        receiver.write("receiver.channels.enable", 0b010000)
        receiver.write("receiver.epoch.period", 1)
        receiver.write("receiver.control.stream", 1)
        transmitter.write("transmitter.control.run", 1)
        types = record_type(collect(receiver, 20_000))
        assert set(types.tolist()) == {RecordType.EPOCH, RecordType.SYNC, RecordType.FRAME}


@pytest.mark.parametrize("scenario", [SCENARIO])
def test_a_process_of_its_own(scenario):
    expected = expected_records(scenario)
    with (
        TwinProcess(scenario, SETTINGS) as twin,
        Transmitter(twin.transmitter_url) as transmitter,
        Receiver(twin.receiver_url) as receiver,
    ):
        transmitter.write("transmitter.control.run", 1)
        receiver.write("receiver.control.stream", 1)
        np.testing.assert_array_equal(collect(receiver, expected.size), expected)
