import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from keybeam.randomness import CHIP_CUTOFFS, RING_CUTOFFS
from keybeam_gateware.randomness import FIFO_WORDS, RandomSource
from keybeam_gateware.randomness.layouts import CUTOFFS_LAYOUT
from keybeam_sim.simulators import build_simulation, emit_verilog, run_simulation

TOP = "random_source"
TESTS = {"verilator": "", "icarus": "chip_a_starts|both_chips|host_are_replayed"}
"""Which tests run where; Icarus is some tens of times slower."""
RAN = {"verilator": 11, "icarus": 3}


def fields(memory_map):
    """Address and words of every register, and place and width of each of its fields."""
    found = {}
    for register, name, (begin, end) in memory_map.resources():
        places, place = {}, 0
        for path, action in register:
            width = action.port.shape.width
            places["_".join(map(str, path))] = (place, width)
            place += width
        found["_".join(name)] = (begin, end - begin, places)
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Verilog and registers."""
    source = RandomSource()
    path = emit_verilog(source, TOP, tmp_path_factory.mktemp("rtl") / "source.v")
    # Only the ports stay visible, so that Verilator can optimise all the rest away.
    rest, top = path.read_text().split(f"module {TOP}(")
    public = re.sub(
        r"^  ((?:in|out)put [^;]*);", r"  \1 /* verilator public_flat_rw */;", top, flags=re.M
    )
    path.write_text(f"{rest}module {TOP}({public}")
    return path, fields(source.bus.memory_map)


def test_source_against_what_its_chips_sent(built, simulator, tmp_path):
    verilog, registers = built
    settings = {
        "registers": registers,
        "fifo_words": FIFO_WORDS,
        "cutoffs": {"a": asdict(CHIP_CUTOFFS), "ring": asdict(RING_CUTOFFS)},
    }
    folder = tmp_path / simulator
    build_simulation(
        sources=[verilog], toplevel=TOP, folder=folder, simulator=simulator, opaque=True
    )
    ran, failed = run_simulation(
        toplevel=TOP,
        test_module="cocotb_source",
        build_folder=folder,
        folder=folder,
        simulator=simulator,
        search_folder=Path(__file__).parent,
        environment={
            "RANDOM_SOURCE": json.dumps(settings),
            "COCOTB_TEST_FILTER": TESTS[simulator],
        },
    )
    assert (ran, failed) == (RAN[simulator], 0)


def test_every_cutoff_fits_its_register():
    for cutoffs in (CHIP_CUTOFFS, RING_CUTOFFS):
        for name, value in asdict(cutoffs).items():
            assert value < 1 << CUTOFFS_LAYOUT[name].width
