import json
from pathlib import Path

from keybeam_gateware.transmitter import TransmitterCore
from keybeam_sim.simulators import emit_verilog, run_cocotb

LOG_FRAMES = 2
RUN_FRAMES = {"verilator": 3, "icarus": 1}


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
        "run_frames": RUN_FRAMES[simulator],
    }
    verilog = emit_verilog(core, "transmitter_core", tmp_path / "transmitter_core.v")
    ran = run_cocotb(
        sources=[verilog],
        toplevel="transmitter_core",
        test_module="cocotb_core",
        folder=tmp_path / simulator,
        simulator=simulator,
        test_folder=Path(__file__).parent,
        environment={"TRANSMITTER_CORE": json.dumps(settings)},
    )
    assert ran == 3
