import importlib.util
import json
from pathlib import Path

import msgspec
import pytest

from keybeam.transmitter import TransmitterBusyError, TransmitterError
from keybeam.transmitter.calibration import calibration_sections, load_lane_delays
from keybeam.transmitter.calibration_file import (
    IntensityCalibration,
    LaneDelay,
    PulseCalibration,
    Quantity,
    load_calibration,
    new_calibration,
    save_calibration,
)

_SPEC = importlib.util.spec_from_file_location(
    "register_board", Path(__file__).with_name("register_board.py")
)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
RegisterBoard = _MODULE.RegisterBoard

PULSE = PulseCalibration(
    width_s=Quantity(55e-12, 0.1e-12),
    jitter_s=Quantity(6.5e-12, 0.3e-12),
    lanes={"0": LaneDelay(3, 54), "4": LaneDelay(0, 127)},
)


def calibration(**sections):
    return msgspec.structs.replace(new_calibration("bench 2"), **sections)


def test_the_lanes_take_their_delays():
    board = RegisterBoard()
    loaded = load_lane_delays(board, calibration(pulse=PULSE))
    assert board.writes == [
        ("pattern.lane_0.delay", 3),
        ("pattern.lane_0.fine_delay", 54),
        ("pattern.lane_4.delay", 0),
        ("pattern.lane_4.fine_delay", 127),
    ]
    assert loaded == {
        "0": {"delay": 3, "fine_delay": 54},
        "4": {"delay": 0, "fine_delay": 127},
    }


def test_a_running_transmitter_is_left_alone():
    board = RegisterBoard(pattern__status__locked=1)
    with pytest.raises(TransmitterBusyError):
        load_lane_delays(board, calibration(pulse=PULSE))
    assert board.writes == []


def test_a_calibration_without_delays_is_refused():
    board = RegisterBoard()
    with pytest.raises(TransmitterError, match="keybeam instruments measure pulse"):
        load_lane_delays(board, calibration())
    assert board.writes == []


def test_a_board_without_delay_cells_is_told():
    board = RegisterBoard(pattern__lane_0__fine_delay=0)
    with pytest.raises(TransmitterError, match="delay cell"):
        load_lane_delays(board, calibration(pulse=PULSE))


def test_what_was_written_is_read_back(tmp_path):
    path = tmp_path / "calibration.json"
    photons = {"signal": Quantity(0.801, 0.016)}
    known = calibration(
        pulse=PULSE,
        measured={"pulse": "2026-11-28T20:00:00+00:00"},
        intensity=IntensityCalibration(
            attenuation_db=57.37,
            pulse_rate_hz=Quantity(625e6, 360.0),
            wavelength_nm=Quantity(850.0, 0.03),
            mean_photons=photons,
        ),
    )
    save_calibration(path, known)
    assert load_calibration(path) == known
    sections = calibration_sections(known)
    assert sections["intensity"]["photons of signal"] == "0.801 ± 0.016"
    assert sections["pulse"]["lane 0, slots + steps"] == "3 + 54"
    assert sections["pulse"]["measured"] == "2026-11-28T20:00:00+00:00"
    assert "laser" not in sections
    assert "keybeam tx calibration load" in sections["pulse"]["goes to"]
    assert "board" not in sections["intensity"]["goes to"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(format="keybeam transmitter calibration 9"),
        lambda content: content["pulse"]["lanes"].update({"8": {"delay": 0, "fine_delay": 0}}),
        lambda content: content["pulse"]["lanes"]["0"].update(fine_delay=128),
        lambda content: content["pulse"]["lanes"]["0"].update(delay=64),
        lambda content: content["pulse"]["width_s"].update(uncertainty=-1.0),
        lambda content: content.update(station=3),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, change):
    path = tmp_path / "calibration.json"
    save_calibration(path, calibration(pulse=PULSE))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(TransmitterError, match=r"calibration\.json"):
        load_calibration(path)
