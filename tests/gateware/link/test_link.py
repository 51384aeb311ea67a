from pathlib import Path

from keybeam_sim.simulators import emit_verilog, run_cocotb

HERE = Path(__file__).parent


def test_link_on_its_serial_line(simulator, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    from looped_board import LoopedBoard

    verilog = emit_verilog(LoopedBoard(), "looped_board", tmp_path / "looped_board.v")
    ran = run_cocotb(
        sources=[verilog],
        toplevel="looped_board",
        test_module="cocotb_link",
        folder=tmp_path / simulator,
        simulator=simulator,
        test_folder=HERE,
    )
    assert ran == 8
