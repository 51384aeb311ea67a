"""The state log on a LiteDRAM core with LiteDRAM's own model of a DDR3 memory."""

from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from public_ports import show_only_ports

from keybeam.protocol.numbers import FRAME_CYCLES
from keybeam_gateware.memory import Ddr3Memory, DramSettings, generate_core
from keybeam_gateware.transmitter.log import DDR3_LINE_WORDS, LogBackend, StateLog
from keybeam_sim.simulators import build_simulation, emit_verilog, run_simulation

TOP = "log_under_load"
LOG_FRAMES = 4
PERIOD_NS = 13.5
"""Period of the memory's user clock: a whole number of picoseconds for each of the memory's own
cycles, as LiteDRAM's timing checks need it, and a little slower than a board's."""
SETTINGS = DramSettings(chip="MT41K512M16", byte_lanes=2, input_hz=30e6, user_hz=1e9 / PERIOD_NS)


class LogUnderLoad(wiring.Component):
    """The log with a pattern that a plain formula gives, so that it need not be driven.

    Symbols of word w are the low 16 bits of 40 503 × (w XOR (w >> 16)).
    """

    go: In(1)
    index: In(stream.Signature(64))
    answer: Out(stream.Signature(8))
    reference: In(1)
    passed: Out(1)
    lost: Out(32)
    word: Out(62)

    def __init__(self, description):
        self._description = description
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.log = log = StateLog(LOG_FRAMES, backend=LogBackend.DDR3)
        lines = LOG_FRAMES * FRAME_CYCLES // DDR3_LINE_WORDS
        m.submodules.memory = memory = Ddr3Memory(
            lines, self._description, {}, longest_wait=300, long_lines=64
        )
        connect(m, log.memory, memory.port)
        connect(m, flipped(self.index), log.index)
        connect(m, log.answer, flipped(self.answer))
        sent, word = log.sent, self.word
        running = Signal()
        with m.If(self.go & (word[:14] == 0)):
            m.d.sync += running.eq(1)
        with m.If(sent.valid):
            m.d.sync += word.eq(word + 1)
        with m.If(memory.port.write.enable & ~memory.port.write.taken):
            m.d.sync += self.lost.eq(self.lost + 1)
        m.d.comb += [
            sent.valid.eq(running),
            sent.first.eq(word == 0),
            sent.not_key.eq(word[14]),
            sent.word.eq(word),
            sent.symbols.eq((word ^ (word >> 16))[:16] * 40503),
            memory.reference.eq(self.reference),
            self.passed.eq(memory.port.passed),
        ]
        return m


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A core with LiteDRAM's model of the memory."""
    return generate_core(SETTINGS, tmp_path_factory.mktemp("litedram"), model_rows=2048)


def test_full_rate_beside_look_ups(model, tmp_path, capfd):
    verilog = emit_verilog(LogUnderLoad(model), TOP, tmp_path / f"{TOP}.v")
    show_only_ports(verilog, TOP)
    build_simulation(sources=[verilog, model.verilog], toplevel=TOP, folder=tmp_path, opaque=True)
    capfd.readouterr()
    ran, failed = run_simulation(
        toplevel=TOP,
        test_module="cocotb_litedram",
        build_folder=tmp_path,
        folder=tmp_path,
        search_folder=Path(__file__).parent,
        environment={"PERIOD_NS": str(PERIOD_NS), "LOG_FRAMES": str(LOG_FRAMES)},
    )
    output = capfd.readouterr().out
    print(output)
    assert (ran, failed) == (1, 0)
    # The model tells of commands that come too early for the memory.
    assert "violation" not in output
