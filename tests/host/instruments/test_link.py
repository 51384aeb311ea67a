"""The link down to PyVISA, with simulated serial ports of PyVISA-sim."""

import contextlib
import socket
import threading

import pytest

from keybeam.instruments import InstrumentError, InstrumentTimeoutError, Settings, VisaLink
from keybeam.instruments.drivers import YokogawaGs200
from keybeam.instruments.link import Terminations

PORTS = """\
spec: "1.1"
devices:
  source:
    eom:
      ASRL INSTR:
        q: "\\n"
        r: "\\n"
    error: ERROR
    dialogues:
      - {q: "*IDN?", r: "YOKOGAWA,GS210,1,2.02"}
      - {q: "*CLS"}
      - {q: "*OPC?", r: "1"}
      - {q: ":SYST:ERR?", r: "0"}
      - {q: ":OUTP:STAT OFF"}
      - {q: ":OUTP:STAT ON"}
      - {q: ":SOUR:FUNC VOLT"}
      - {q: ":SOUR:PROT:CURR 0.001"}
      - {q: "MUTE?"}
    properties:
      level:
        default: 0.0
        getter: {q: ":SOUR:LEV?", r: "{:.3f}"}
        setter: {q: ":SOUR:LEV:AUTO {:.3f}"}
        specs: {min: -10, max: 10, type: float}
resources:
  ASRL1::INSTR:
    device: source
"""


@pytest.fixture
def backend(tmp_path):
    path = tmp_path / "ports.yaml"
    path.write_text(PORTS)
    return f"{path}@sim"


def test_a_driver_sets_what_the_simulated_port_then_holds(backend):
    link = VisaLink("ASRL1::INSTR", YokogawaGs200.terminations, backend=backend)
    with link, YokogawaGs200(link, Settings(voltage_limit_v=5.0)) as source:
        source.set_voltage_v(1.5)
        assert link.query(":SOUR:LEV?") == "1.500"


def test_a_silent_port_is_a_time_out_that_names_port_and_message(backend):
    with (
        VisaLink("ASRL1::INSTR", Terminations(), timeout_s=0.05, backend=backend) as link,
        pytest.raises(
            InstrumentTimeoutError, match=r"ASRL1::INSTR did not answer 'MUTE\?' in time"
        ),
    ):
        link.query("MUTE?")


@pytest.mark.parametrize("name", ["", "nonsense", "GPIB0::1::INSTR"])
def test_a_resource_that_cannot_be_opened_is_told(name):
    with pytest.raises(InstrumentError, match="cannot be opened"):
        VisaLink(name, Terminations(), timeout_s=0.2)


class Peer(threading.Thread):
    """Answers one message at a TCP port by given bytes, one after the other."""

    def __init__(self, answer):
        super().__init__()
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.name = f"TCPIP::127.0.0.1::{self._server.getsockname()[1]}::SOCKET"

    def run(self):
        with self._server, self._server.accept()[0] as connection:
            connection.recv(100)
            # The other end may close at any time, be it with some of this unread or unsent.
            with contextlib.suppress(ConnectionError):
                for position in range(len(self._answer)):
                    connection.sendall(self._answer[position : position + 1])
                connection.recv(100)


@pytest.fixture
def ask_block():
    peers = []

    def ask(answer):
        peers.append(Peer(answer))
        peers[-1].start()
        with VisaLink(peers[-1].name, Terminations(), timeout_s=2.0) as link:
            return link.query_block("DATA?")

    yield ask
    for peer in peers:
        peer.join()


def test_a_block_may_hold_any_byte_and_come_in_pieces(ask_block):
    content = bytes(range(256)) + b"\n\n#"
    assert ask_block(b"#3259" + content + b"\n") == content


@pytest.mark.parametrize("answer", [b"12\n", b"#0abc\n", b"#2x9\n"])
def test_what_is_no_block_is_told(ask_block, answer):
    with pytest.raises(InstrumentError):
        ask_block(answer)


def test_a_refused_connection_is_told():
    with (
        VisaLink("TCPIP::127.0.0.1::1::SOCKET", Terminations(), timeout_s=2.0) as link,
        pytest.raises(InstrumentError, match="is the instrument on"),
    ):
        link.query("*IDN?")
