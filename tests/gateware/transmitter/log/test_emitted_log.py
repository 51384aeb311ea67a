from pathlib import Path

from public_ports import show_only_ports

from keybeam_gateware.transmitter.log import StateLog
from keybeam_sim.simulators import build_simulation, emit_verilog, run_simulation

TOP = "state_log"
NAMES = {"too_old", "too_new", "not_key", "restart", "highest_indices"}


def test_emitted_log_by_what_is_asked_for(simulator, tmp_path):
    from cocotb_state_log import FRAME_WORDS, FRAMES

    verilog = emit_verilog(StateLog(FRAMES, FRAME_WORDS), TOP, tmp_path / f"{TOP}.v")
    show_only_ports(verilog, TOP)
    build_simulation(
        sources=[verilog], toplevel=TOP, folder=tmp_path, simulator=simulator, opaque=True
    )
    ran, failed = run_simulation(
        toplevel=TOP,
        test_module="cocotb_state_log",
        build_folder=tmp_path,
        folder=tmp_path,
        simulator=simulator,
        search_folder=Path(__file__).parent,
    )
    assert (ran, failed) == (len(NAMES), 0)
