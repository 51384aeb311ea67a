"""Every fault of the downlink by its name: what is lost is marked, and nothing wrong leaves."""

import pytest

from keybeam_sim.line_faults import FAULTS, LineCampaign

LOST = {
    "none": 0,
    "cut for 3 frames": 4,
    "stuck high for 8 frames": 12,
    "inverted for 6 frames": 9,
    "a bit lost in mid-frame": 1,
    "a bit too many in mid-frame": 1,
    "50 % garbage for 6 frames": 9,
    "noise for 3 frames": 4,
    "bursts of 30 bits": 6,
    "sync word copied into every payload": 34,
    "reference glitch: 7 bits not sampled": 4,
}
"""Most frames that a fault may cost, beside those before the first lock."""
BEFORE_LOCK = 3


@pytest.fixture(scope="module")
def campaign():
    return LineCampaign()


def test_every_fault_is_tested():
    assert set(LOST) == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_lost_is_marked_and_nothing_false_leaves(campaign, name):
    report = campaign.run(name)
    assert report.unmarked == 0
    assert report.false_payloads == 0
    assert report.counted
    lost = report.frames - report.delivered - BEFORE_LOCK
    assert LOST[name] / 4 <= lost <= LOST[name]
    assert (report.signal_lost > 0) == (name.startswith(("cut", "stuck")))
    assert (report.locks_lost > 0) == (name.startswith(("stuck", "inv", "50 %", "sync")))
