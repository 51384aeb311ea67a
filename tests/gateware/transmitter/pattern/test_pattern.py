import json
from pathlib import Path

from pattern_bench import PatternBench, fields

from keybeam_sim.simulators import emit_verilog, run_cocotb


def addresses(memory_map):
    """Address and number of words of every register, by name."""
    return {
        "_".join(name): (begin, end - begin) for _, name, (begin, end) in memory_map.resources()
    }


def test_pattern_against_the_model(simulator, tmp_path):
    bench = PatternBench()
    content = {"addresses": addresses(bench.bus.memory_map), "places": fields()}
    verilog = emit_verilog(bench, "pattern_bench", tmp_path / "pattern_bench.v")
    ran = run_cocotb(
        sources=[verilog],
        toplevel="pattern_bench",
        test_module="cocotb_pattern",
        folder=tmp_path / simulator,
        simulator=simulator,
        test_folder=Path(__file__).parent,
        environment={"KEYBEAM_PATTERN": json.dumps(content)},
    )
    assert ran >= 40
