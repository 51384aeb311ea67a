import json
from pathlib import Path

from keybeam_gateware.transmitter import TransmitterCore
from keybeam_sim.simulators import emit_verilog, run_cocotb

LOG_FRAMES = 2
RUN_FRAMES = 3
# Icarus takes a second for some hundred cycles of the whole core: the blocks' own tests run on it
# at length, the core as far as registers, pattern, log and a fault.
TESTS = {"verilator": (".*", 3), "icarus": ("halting", 1)}


def addresses(memory_map):
    """Address and number of words of every register, by name."""
    return {
        "_".join(name): (begin, end - begin) for _, name, (begin, end) in memory_map.resources()
    }


def test_core_against_the_model(simulator, tmp_path):
    core = TransmitterCore(log_frames=LOG_FRAMES)
    settings = {
        "addresses": {name: addresses(bus.memory_map) for name, bus in core.windows.items()},
        "log_frames": LOG_FRAMES,
        "run_frames": RUN_FRAMES,
    }
    verilog = emit_verilog(core, "transmitter_core", tmp_path / "transmitter_core.v")
    ran = run_cocotb(
        sources=[verilog],
        toplevel="transmitter_core",
        test_module="cocotb_core",
        folder=tmp_path / simulator,
        simulator=simulator,
        test_folder=Path(__file__).parent,
        environment={
            "TRANSMITTER_CORE": json.dumps(settings),
            "COCOTB_TEST_FILTER": TESTS[simulator][0],
        },
    )
    assert ran == TESTS[simulator][1]
