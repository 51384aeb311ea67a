import json
from pathlib import Path

from pattern_bench import PatternBench, fields

from keybeam_sim.simulators import emit_verilog, run_cocotb

# The default, and the largest symbol map; each simulator has one of them.
RANDOM_BITS = {"icarus": 4, "verilator": 12}
STATISTICS_CYCLES = {"icarus": 2_000, "verilator": 260_000}

# What can happen in every cycle of a frame does so on the fast simulator, in some on the other.
STEP = {"icarus": 9, "verilator": 1}


def addresses(memory_map):
    """Address and number of words of every register, by name."""
    return {
        "_".join(name): (begin, end - begin) for _, name, (begin, end) in memory_map.resources()
    }


def test_pattern_against_the_model(simulator, tmp_path):
    bench = PatternBench(RANDOM_BITS[simulator])
    content = {
        "addresses": addresses(bench.bus.memory_map),
        "places": fields(bench.layout),
        "random_bits": RANDOM_BITS[simulator],
        "statistics_cycles": STATISTICS_CYCLES[simulator],
        "step": STEP[simulator],
    }
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
    assert ran == 66
