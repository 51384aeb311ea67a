from types import SimpleNamespace

import numpy as np
import pytest

from keybeam.protocol.downlink import DownlinkFrame, FrameFlag, encode_frame
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.timing import CLICK_DTYPE
from keybeam_sim.cosimulation.truth import TruthRecorder
from keybeam_sim.main_job.rtl import compare_with_truth, run_rtl


def test_frames_through_both_boards_give_equal_bits_at_the_right_pulses(tmp_path):
    said = []
    result = run_rtl(frames=8, seed=5, folder=tmp_path, report_progress=said.append)
    assert result.passed, result
    assert (result.wrong_bits, result.wrong_indices, result.gaps, result.missing) == (0, 0, 0, 0)
    # 28 clicks a frame: half within the gate, half of those in the basis of their symbol.
    assert 150 < result.clicks < 300
    assert 0.35 < result.gated / result.clicks < 0.65
    assert 0.3 < result.sifted_bits / result.gated < 0.7
    assert said[-1] == "frame 8 of 8"


@pytest.fixture
def carried():
    """A link that carried two clicks in one frame, and what the host reports of them."""
    recorder = TruthRecorder()
    recorder.line(encode_frame(DownlinkFrame(3, FrameFlag.RUNNING, b"")))
    recorder.click(100, 2, 1, 0, 0)
    recorder.click(200, 7, 3, 0, 0)
    clicks = np.zeros(2, CLICK_DTYPE)
    clicks["index"] = 3 * FRAME_SLOTS + np.array([100, 200])
    clicks["channel"] = [1, 3]
    return SimpleNamespace(clicks=clicks, gated=clicks.copy(), symbols=np.array([2, 7])), recorder


def test_what_the_link_carried_is_right(carried):
    run, recorder = carried
    assert compare_with_truth(run, recorder.finish()) == (0, 0)


@pytest.mark.parametrize(
    ("field", "place", "value"), [("index", 0, 3 * FRAME_SLOTS + 101), ("channel", 1, 2)]
)
def test_a_pulse_index_off_by_one_and_a_wrong_channel_are_found(carried, field, place, value):
    run, recorder = carried
    run.gated[field][place] = value
    assert compare_with_truth(run, recorder.finish()) == (1, 0)


def test_a_wrong_symbol_is_found(carried):
    run, recorder = carried
    run.symbols[1] = 6
    assert compare_with_truth(run, recorder.finish()) == (1, 0)


def test_a_click_that_never_came_is_found(carried):
    run, recorder = carried
    run.clicks, run.gated, run.symbols = run.clicks[:1], run.gated[:1], run.symbols[:1]
    assert compare_with_truth(run, recorder.finish()) == (0, 1)
