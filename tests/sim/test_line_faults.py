"""Every fault of the downlink by its name: what is lost is marked, and nothing wrong leaves."""

import numpy as np
import pytest

from keybeam.protocol.downlink import SYNC_WORD, DownlinkFrame, FrameFlag, encode_frame
from keybeam.protocol.numbers import FRAME_BITS, FRAME_DURATION_PS
from keybeam_gateware.line import LineReceiver, SyncState
from keybeam_gateware.line.registers import FLYWHEEL_FRAMES
from keybeam_sim.compiled import CompiledBlock
from keybeam_sim.line import LineConditions, sample_line
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


@pytest.mark.parametrize(("fade", "offset"), [("dark", 100e-6), ("noise", -100e-6)])
def test_lock_within_three_frames_and_as_after_reset_through_a_fade_of_ten_milliseconds(
    fade, offset
):
    rng = np.random.default_rng(21)
    before, faded, after = 4, 97, 4
    assert faded * FRAME_DURATION_PS > 10e9
    frames = [
        encode_frame(DownlinkFrame(70_000 + n, FrameFlag.RUNNING, b""))
        for n in range(before + faded + after)
    ]
    # The data recovery finds its phase in what comes before the first word.
    lead = 500
    bits = np.concatenate([rng.integers(0, 2, lead), *frames]).astype(np.uint8)
    begin, end = (lead + int((before - 0.5 + n) * FRAME_BITS) for n in (0, faded))
    conditions = LineConditions(
        offset=offset, jitter_ui=0.35, random_ui=0.01, error_rate=1e-3, start=1.5
    )
    words, first = sample_line(bits, conditions, rng)
    dark = slice(first[begin] // 4, first[end] // 4)
    words[dark] = 0 if fade == "dark" else rng.integers(0, 16, words[dark].size)
    settings = {
        "hysteresis": 8,
        "word": SYNC_WORD,
        "search_tolerance": 2,
        "lock_tolerance": 8,
        "verify_frames": 2,
        "flywheel_frames": FLYWHEEL_FRAMES,
        "message__ready": 1,
    }
    found = CompiledBlock(LineReceiver()).run(
        len(words),
        {"line": words, "cycle": np.arange(len(words)), **settings},
        ["state", "event", "flywheel", "lost_lock", "header", "header_valid", "counter"],
    )
    locked = np.flatnonzero(found["state"] == SyncState.LOCKED.value)[0]
    third = first[lead + 2 * FRAME_BITS] / 4
    assert third < locked < third + 100
    assert not found["lost_lock"].any()
    assert np.count_nonzero(found["event"]) == before + faded + after - 2
    headers = np.flatnonzero(found["header"])
    assert np.array_equal(found["counter"][headers], 70_002 + np.arange(headers.size))
    assert found["header_valid"][headers][-3:].any()
    assert not found["flywheel"][found["event"] == 1][-3:].any()
