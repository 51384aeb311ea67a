import os
import threading
import time

import numpy as np
import pytest

from keybeam.cli import main
from keybeam.device import (
    Board,
    ConnectionLostError,
    LinkTimeoutError,
    NotABoardError,
    PortBusyError,
    PortMissingError,
    PortUrlError,
    Receiver,
    RecordLoss,
    RegisterMapError,
    Transmitter,
    WrongRoleError,
    open_transport,
)
from keybeam.protocol.identity import IdentityAddress, Role


@pytest.fixture(params=["pty", "tcp"])
def serve(request, device):
    """Serve a model at a real pseudo-terminal or TCP port."""
    return {"pty": device.serve_pty, "tcp": device.serve_tcp}[request.param]


def test_everything_of_a_board(device, serve):
    model = device.BoardModel(Role.TRANSMITTER)
    with serve(model) as port, Transmitter(port) as board:
        assert board.name == port
        assert board.identity.role == Role.TRANSMITTER
        assert board.identity.map_hash == board.register_map.hash
        assert board.identity.revision == "00c0ffee"
        board.write("identity.scratch", 0x00FF000D)
        assert board.read("identity.scratch") == 0x00FF000D
        indices = np.arange(1000, dtype=np.uint64) * np.uint64(65536 * 977)
        status, symbols = board.lookup(indices)
        np.testing.assert_array_equal(status << 4 | symbols, device.symbol_bytes(indices))
        # XON, XOFF and line ends go through as they are.
        assert board.send_payload(b"\x11\x13\r\n\0" * 10) == 250
        assert model.payload == b"\x11\x13\r\n\0" * 10


def test_a_port_is_free_again_after_closing(device, serve):
    with serve(device.BoardModel(Role.RECEIVER)) as port:
        for _ in range(2):
            with Receiver(port) as board:
                assert board.read("identity.magic")


def test_accesses_over_a_line_that_loses_and_spoils_bytes(device, serve):
    model = device.BoardModel(Role.RECEIVER)
    faults = device.Faults(1, loss=0.002, change=0.002, double=0.002)
    with serve(model, to_board=faults, to_host=faults) as port:
        url = f"serial:{port}?timeout=0.05" if port.startswith("/") else f"{port}?timeout=0.05"
        with Receiver(url) as board:
            for value in range(100):
                board.write("identity.scratch", value)
                assert board.read("identity.scratch") == value
            assert board.broken_frames > 0
    assert [value for _, value in model.writes] == list(range(100))


def test_records_and_losses_arrive_while_requests_run(device):
    model = device.BoardModel(Role.RECEIVER)
    frames = [model.tags(np.arange(30) + 30 * number) for number in range(40)]
    greeting = b"".join(frames[:20] + frames[21:])
    with device.serve_tcp(model, greeting=greeting) as port, Receiver(port) as board:
        board.write("identity.scratch", 7)
        got = []
        while not got or got[-1] != 1199:
            part = board.records(timeout=5)
            got += [part] if isinstance(part, RecordLoss) else part.tolist()
        assert got == [*range(600), RecordLoss(30), *range(630, 1200)]
        assert board.records(timeout=0.01).shape == (0,)


def test_messages(device):
    model = device.BoardModel(Role.RECEIVER)
    greeting = model.message(b"first") + model.message(b" second")
    with device.serve_tcp(model, greeting=greeting) as port, Receiver(port) as board:
        assert b"".join(board.messages(timeout=5)) == b"first second"
        assert board.messages() == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "serial:",
        "tcp:localhost",
        "tcp:localhost:port",
        "tcp:localhost:70000",
        "/dev/null?baud=fast",
        "/dev/null?speed=3",
        "/dev/null?timeout=0",
        "tcp:localhost:1?baud=9600",
    ],
)
def test_names_of_ports_that_are_not_understood(url):
    with pytest.raises(PortUrlError, match="port"):
        open_transport(url)


def test_missing_ports(tmp_path):
    (tmp_path / "file").write_text("no port")
    for url in (str(tmp_path / "nothing"), str(tmp_path / "file"), "/dev/null"):
        with pytest.raises(PortMissingError, match=url):
            open_transport(url)
    with pytest.raises(PortMissingError, match=r"nothing answers at tcp:127\.0\.0\.1:1 "):
        open_transport("tcp:127.0.0.1:1")


def test_busy_port(device):
    with (
        device.serve_pty(device.BoardModel(Role.RECEIVER)) as port,
        Receiver(port),
        pytest.raises(PortBusyError, match="in use by another program"),
    ):
        open_transport(port)


def silent(model):
    model.feed = lambda data: b""


def not_keybeam(model):
    model.words[IdentityAddress.MAGIC] = 0x12345678


def other_version(model):
    model.words[IdentityAddress.ABI] = 99


def other_map(model):
    model.words[IdentityAddress.MAP_HASH] = 0x0BADCAFE


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (silent, LinkTimeoutError, "did not answer 4 requests in 0.15 s"),
        (not_keybeam, NotABoardError, "not a Keybeam board"),
        (other_version, NotABoardError, "version 99"),
        (other_map, RegisterMapError, "0badcafe"),
    ],
)
def test_boards_that_are_refused(device, serve, mistake, error, message):
    model = device.BoardModel(Role.RECEIVER)
    mistake(model)
    with serve(model) as port:
        url = f"serial:{port}?timeout=0.01" if port.startswith("/") else f"{port}?timeout=0.01"
        with pytest.raises(error, match=message) as caught:
            Board(url)
        assert port in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_other_terminal_is_refused(device, serve):
    with (
        serve(device.BoardModel(Role.RECEIVER)) as port,
        pytest.raises(WrongRoleError, match="is a receiver, not a transmitter"),
    ):
        Transmitter(port)


def test_a_connection_that_ends_is_told_at_once(device):
    model = device.BoardModel(Role.RECEIVER)
    with device.serve_tcp(model) as port:
        board = Receiver(port)
    with board, pytest.raises(ConnectionLostError, match=port):
        board.read("identity.scratch")


def test_a_serial_port_that_vanishes_is_told_at_once():
    master, slave = os.openpty()
    port = os.ttyname(slave)
    with open_transport(port) as transport:
        os.close(slave)
        os.close(master)
        with pytest.raises(ConnectionLostError, match=port):
            transport.read(5)


def test_reading_waits_no_longer_than_its_time_out():
    master, slave = os.openpty()
    with open_transport(os.ttyname(slave)) as transport:
        begin = time.monotonic()
        assert transport.read(0.05) == b""
        assert 0.04 < time.monotonic() - begin < 2
        thread = threading.Thread(target=os.write, args=(master, b"abc"))
        thread.start()
        data = b""
        while len(data) < 3:
            data += transport.read(5)
        thread.join()
        assert data == b"abc"
    os.close(slave)
    os.close(master)


def test_command_lists_registers_of_a_live_board(device, capsys):
    model = device.BoardModel(Role.RECEIVER)
    with device.serve_pty(model) as port:
        with Board(port) as board:
            board.write("identity.scratch", 0xABC)
        main_exit(["registers", "--port", port], 0)
    out = capsys.readouterr().out
    assert "identity.scratch = 0xabc" in out
    assert "transmitter." not in out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [(silent, "did not answer"), (other_map, "0badcafe")],
)
def test_command_says_mistakes_in_one_line(device, capsys, mistake, message):
    model = device.BoardModel(Role.RECEIVER)
    mistake(model)
    with device.serve_tcp(model) as port:
        main_exit(["registers", "--port", f"{port}?timeout=0.01"], 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_command_refuses_the_other_terminal(device, capsys):
    with device.serve_tcp(device.BoardModel(Role.RECEIVER)) as port:
        main_exit(["registers", "--role", "transmitter", "--port", port], 2)
    assert "is a receiver, not a transmitter" in capsys.readouterr().err


def main_exit(words, status):
    with pytest.raises(SystemExit) as stop:
        main(words)
        raise SystemExit(0)
    assert stop.value.code == status
