"""The accounts and the report of the fault campaign, on made-up records."""

import msgspec
import numpy as np

from keybeam.protocol.records import SAMPLED_FINE_STEP, Channel
from keybeam.timing import TAG_DTYPE, Gap
from keybeam_sim.cosimulation import NO_SLOT, TRUTH_DTYPE, LinkFault
from keybeam_sim.fault_campaign import (
    CampaignResult,
    FaultPlan,
    edges_on_pin,
    samples_before_reset,
    settle_accounts,
)
from keybeam_sim.fault_campaign.report import markdown

SHIFT = 1024


def clicks(samples, channel=0):
    array = np.zeros(len(samples), TRUTH_DTYPE)
    array["slot"], array["channel"], array["sample"] = NO_SLOT, channel, samples
    array["time_fs"] = array["sample"] * 1_600_000 - 300_000
    return array


def test_edges_on_a_pin_that_sticks():
    # Pulses last two or three samples; the second of two that touch shows no edge.
    found = edges_on_pin(clicks([100, 103, 200, 300, 340, 360, 500]), 0, ())
    assert found.tolist() == [100, 200, 300, 340, 360, 500]
    stuck = LinkFault(kind="stuck detector", detector=0, begin_ps=300 * 1600, end_ps=350 * 1600)
    other = LinkFault(kind="stuck detector", detector=1, begin_ps=0, end_ps=800_000)
    found = edges_on_pin(clicks([100, 200, 299, 340, 360, 500]), 0, (stuck, other))
    assert found.tolist() == [100, 200, 299, 360, 500]
    assert edges_on_pin(clicks([100]), 2, (stuck,)).size == 0


def tags(samples, channel=0):
    array = np.zeros(len(samples), TAG_DTYPE)
    array["time"], array["channel"] = (np.array(samples) - SHIFT) * SAMPLED_FINE_STEP, channel
    return array


def account(told, gaps, arrived, recorded, dropped):
    came = np.arange(2000, 2100, 2)
    found = tags(told)
    shift = samples_before_reset({0: came}, found)
    assert shift == SHIFT
    counters = {"arrived": arrived, "recorded": recorded, "dropped": dropped}
    (one,) = settle_accounts({0: came}, found, gaps, {0: counters}, shift)
    return one


def gap(begin, end, lost):
    begin, end = ((sample - SHIFT) * SAMPLED_FINE_STEP for sample in (begin, end))
    return Gap(Channel.H, begin, end, lost)


def test_accounts_that_balance_and_those_that_do_not():
    every = list(range(2000, 2100, 2))
    assert account(every, [], 50, 50, 0).balanced
    # Ten are lost from 2040 to 2058.
    kept = [each for each in every if not 2040 <= each < 2060]
    good = account(kept, [gap(2040, 2058, 10)], 50, 40, 10)
    assert good.balanced
    assert (good.marked, good.gaps, good.records) == (10, 1, 40)
    assert not account(kept, [], 50, 40, 10).balanced
    late = account(kept, [gap(2042, 2058, 10)], 50, 40, 10)
    assert (late.unmarked, late.balanced) == (1, False)
    assert account(kept, [gap(2040, 2057, 10)], 50, 40, 10).unmarked == 1
    assert not account(kept, [gap(2040, 2058, 9)], 50, 40, 10).balanced
    assert not account(kept, [gap(2040, 2058, 10)], 50, 41, 9).balanced
    assert account([*every, 2101], [], 50, 50, 0).unmarked == 1


def test_the_report_tells_each_fault_and_whether_all_was_marked():
    plan = FaultPlan()
    kinds = {fault.kind: fault for fault in plan.faults(1e6)}
    assert set(kinds) == {"burst", "line cut", "stuck detector"}
    assert kinds["burst"].rate_hz == 2.5e6
    assert (plan.begin_ms, plan.end_ms) == (3.0, 9.0)
    every = list(range(2000, 2100, 2))
    one = account(every, [], 50, 50, 0)
    result = CampaignResult(
        link_rate=1e6,
        accounts=[one],
        burst_edges=4000,
        burst_marked=2000,
        cut_frames=10,
        cut_flywheel=4,
        cut_words_seen=0,
        relock_frames=2.5,
        flags={"lock lost": True, "frame bad": False, "rate alarms": None},
        wrong_frames=0,
        stuck_edges=1,
        link_losses=0,
        passed=True,
    )
    text = markdown(plan, result)
    assert "2,000 of 4,000 detections" in text
    assert "flags: lock lost |" in text
    assert "| H | 50 | 50 | 50 | 0 | 50 | 0 | 0 | 0 |" in text
    assert text.endswith("All loss was marked.")
    broken = msgspec.structs.replace(result, passed=False)
    assert markdown(plan, broken).endswith("SOMETHING WAS LOST UNMARKED.")
