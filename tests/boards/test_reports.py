from fractions import Fraction

import pytest

from keybeam_boards.errors import ToolError
from keybeam_boards.reports import clocks, worst_paths

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


def path(source, destination, *delays):
    kinds = ["clk-to-q", *["routing", "logic"] * len(delays)]
    hops = [
        {"type": kind, "delay": delay, "net": f"net{number}"}
        for number, (kind, delay) in enumerate(zip(kinds, delays, strict=False))
    ]
    return {"from": source, "to": destination, "path": hops}


def test_paths_that_a_period_bounds_come_first():
    sync = "posedge $glbnet$clocks.clk"
    ring = "posedge $glbnet$pulser$99.node_6"
    found = worst_paths(
        {
            "critical_paths": [
                path(sync, "<async>", 0.5, 8.0),
                path("<async>", sync, 0.5, 30.0),
                path(ring, sync, 0.5, 20.0),
                path(sync, sync, 0.5, 1.0, 0.25),
                path(sync, "posedge eclk_clk", 0.5, 2.0, 0.25),
                path("negedge eclk_clk", "posedge eclk_clk", 0.5, 3.0, 0.25),
            ]
        }
    )
    assert [one.ends for one in found] == [
        ("negedge eclk", "posedge eclk"),
        ("posedge sync", "posedge sync"),
        ("posedge pulser.node_6", "posedge sync"),
        ("posedge sync", "posedge eclk"),
        ("<async>", "posedge sync"),
        ("posedge sync", "<async>"),
    ]
    assert found[1].delay_ns == 1.75
    assert found[1].logic_ns == 0.75
    assert found[1].levels == 1
    assert found[1].steps == ("net1",)
