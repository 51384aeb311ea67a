import pytest

from keybeam_boards.netlist import blocks_apart, name_clocks, plain_names

SCRIPT = """read_verilog memory.v
read_rtlil t.il
# (script_after_read placeholder)
    synth_ecp5  -top t
# (script_after_synth placeholder)
write_json t.json"""


def test_names_lose_their_brackets_and_selections_keep_them():
    netlist = "wire width 4 \\a.b[3][2].c\nconnect \\x [3:0] { \\y[1] [0] \\z }\n"
    plain = "wire width 4 \\a.b.3.2.c\nconnect \\x [3:0] { \\y.1 [0] \\z }\n"
    assert plain_names(netlist) == plain


def test_blocks_are_kept_until_they_are_mapped():
    parts = ["t", "t.clocks", "t.terminal", "t.terminal.core", "t.terminal.core.log"]
    parts += ["t.terminal.core.log.wide.apart_0"]
    deeper = ["t.clocks.loop", "t.terminal.core.log.lookup", "t.terminal.link.encoder.crc"]
    netlist = "".join(f"module \\{name}\nend\n" for name in parts + deeper)
    lines = blocks_apart(SCRIPT, netlist).splitlines()
    kept = {line.split()[-1] for line in lines if "-set keep_hierarchy" in line}
    assert kept == {"memory", *parts[1:]}
    synthesis = next(place for place, line in enumerate(lines) if "synth_ecp5" in line)
    assert lines[synthesis + 1 :][:2] == ["setattr -mod -unset keep_hierarchy *", "flatten"]


def test_a_script_without_places_is_refused():
    with pytest.raises(ValueError, match="script_after_read"):
        blocks_apart("synth_ecp5 -top t", "")


def test_a_clock_keeps_the_name_that_tells_what_it_is():
    bits = {
        "core.clk": [5],
        "i": [5],
        "clocks.reference_clk": [5],
        "clk": [7],
        "terminal.clk": [7],
        "data": [8, 7],
    }
    top = {"netnames": {name: {"bits": places} for name, places in bits.items()}}
    name_clocks({"modules": {"t": top}})
    names = set(top["netnames"])
    assert {"clocks.reference_clk", "data"} <= names
    assert not {"i", "core.clk"} & names
    assert len(names & {"clk", "terminal.clk"}) == 1
