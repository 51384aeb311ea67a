from fractions import Fraction

import pytest

from keybeam_boards.errors import ToolError
from keybeam_boards.reports import clocks

REQUIRED = {"sync": Fraction(156_250_000), "reference": Fraction(30_000_000)}


def report(**nets):
    return {"fmax": {f"$glbnet${net}": figures for net, figures in nets.items()}}


@pytest.mark.parametrize("reference", ["clocks.reference_clk", "reference"])
@pytest.mark.parametrize("sync", ["clk", "clocks.clk"])
def test_clocks_are_known_by_the_names_that_synthesis_leaves(sync, reference):
    fmax = report(
        **{
            sync: {"achieved": 181.5, "constraint": 156.25},
            reference: {"achieved": 20.0, "constraint": 30.0},
        }
    )
    found = clocks(fmax, REQUIRED)
    assert found["sync"].achieved_mhz == 181.5
    assert found["sync"].met
    assert not found["reference"].met


def test_a_clock_that_is_not_reported_or_not_aimed_at_is_an_error():
    with pytest.raises(ToolError, match="no timing for the clock reference"):
        clocks(report(clk={"achieved": 181.5, "constraint": 156.25}), REQUIRED)
    low = {"achieved": 181.5, "constraint": 12.0}
    with pytest.raises(ToolError, match=r"sync to 12\.00 MHz instead of 156\.25"):
        clocks(report(clk=low, reference=low), REQUIRED)
