from pathlib import Path

HERE = Path(__file__).parent


def test_link_on_its_serial_line(simulator, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    from looped_board import LoopedBoard
    from serial_bench import run_on_serial_line

    assert run_on_serial_line(LoopedBoard(), "cocotb_link", tmp_path, simulator) == 9
