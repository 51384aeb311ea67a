import os
import threading
from types import SimpleNamespace

import pytest

from keybeam.device import (
    FoundPort,
    NotABoardError,
    SimulatedClock,
    announce_boards,
    announced_ports,
    discovery,
    find_boards,
    find_ports,
    open_transport,
    port_at,
    read_identity,
)
from keybeam.device.clock import UnstoppableClock
from keybeam.protocol.identity import IdentityAddress, Role


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Simulations of this machine are none of these tests' concern."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def usb(device, vid, pid, location=None):
    return SimpleNamespace(device=device, vid=vid, pid=pid, location=location)


def test_ports_of_known_bridges_are_found_but_not_their_jtag(monkeypatch):
    ports = [
        usb("/dev/ttyS0", None, None),
        usb("/dev/ttyUSB0", 0x0403, 0x6010, "1-2:1.0"),
        usb("/dev/ttyUSB1", 0x0403, 0x6010, "1-2:1.1"),
        usb("/dev/ttyUSB2", 0x0403, 0x6015, "1-3:1.0"),
        usb("/dev/ttyACM0", 0x2341, 0x0043, "1-4:1.0"),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
    assert [port.path for port in find_ports()] == ["/dev/ttyUSB1", "/dev/ttyUSB2"]


def test_only_what_answers_with_the_magic_is_a_board(device):
    stranger = device.BoardModel(Role.RECEIVER)
    stranger.words[IdentityAddress.MAGIC] = 0x12345678
    with (
        device.serve_pty(device.BoardModel(Role.TRANSMITTER)) as board,
        device.serve_pty(stranger) as other,
        device.serve_pty(device.BoardModel(Role.RECEIVER, map_hash="0badcafe")) as unknown,
    ):
        ports = [FoundPort(path, "") for path in (other, board, "/dev/nothing", unknown)]
        found = find_boards(ports)
        with open_transport(other) as transport, pytest.raises(NotABoardError):
            read_identity(transport)
    assert [port.path for port, _ in found] == [board, unknown]
    assert [identity.role for _, identity in found] == [Role.TRANSMITTER, Role.RECEIVER]
    # A map that this program does not know is for the user of the answer to judge.
    assert found[1][1].map_hash == "0badcafe"


def test_simulated_boards_are_found_while_they_run(own_folder):
    ports = [FoundPort("/dev/pts/7", "simulated transmitter", 39_062_500, "/nowhere/clock")]
    with announce_boards(ports):
        assert announced_ports() == ports
        assert port_at("/dev/pts/7") == ports[0]
        assert ports[0].simulated
    assert announced_ports() == []
    assert not port_at("/dev/pts/7").simulated
    assert port_at("serial:/dev/ttyUSB0?baud=115200").baud == 115_200


def test_what_a_dead_simulation_left_is_cleared_away(own_folder, monkeypatch):
    with announce_boards([FoundPort("/dev/pts/7", "")]):
        file = own_folder / f"keybeam-{os.getuid()}" / f"{os.getpid()}.json"
        monkeypatch.setattr(discovery, "_lives", lambda _pid: False)
        assert announced_ports() == []
        assert not file.exists()


def test_time_outs_of_a_simulated_board_are_counted_by_its_own_time(device, tmp_path):
    clock = SimulatedClock(tmp_path / "clock")
    answers, times = iter(range(1_000)), iter(range(1, 1_000_000))
    lost = threading.Event()

    def to_host(data):
        """Lose every other answer."""
        if next(answers) % 2:
            return data
        lost.set()
        return b""

    with device.serve_pty(device.BoardModel(Role.RECEIVER), to_host=to_host) as path:
        port = FoundPort(path, "", clock=str(tmp_path / "clock"))
        with port.open() as transport:
            read_clock, write = transport.now, transport.write

            def now():
                # The simulation goes on by a millisecond a look once its answer was lost: an answer
                # is late by its time, however slow the machine is that this runs on.
                if lost.is_set():
                    clock.show(next(times) * 1_000_000_000)
                return read_clock()

            def send(request):
                lost.clear()
                write(request)

            transport.now, transport.write = now, send
            assert read_identity(transport).role == Role.RECEIVER
    assert next(times) > 2


def test_a_simulation_that_stands_still_ends_time_outs_all_the_same(tmp_path):
    clock = UnstoppableClock(SimulatedClock(tmp_path / "clock"), 0.0)
    first = clock.now_s()
    while clock.now_s() <= first:
        pass
    patient = UnstoppableClock(SimulatedClock(tmp_path / "clock"), 1e6)
    assert patient.now_s() == 0


def test_simulated_clock_shows_what_was_written(tmp_path):
    ours, theirs = (SimulatedClock(tmp_path / "clock") for _ in range(2))
    assert ours.now_s() == 0
    theirs.show(2_500_000_000_000)
    assert ours.now_s() == 2.5
