"""`keybeam tx calibration` at the served twin, over the board's link."""

import json
import threading

import msgspec
import pytest
from click.testing import CliRunner

from keybeam.cli import command_line
from keybeam.transmitter import TransmitterError, save_calibration
from keybeam.transmitter.calibration_file import (
    LaneDelay,
    PulseCalibration,
    Quantity,
    new_calibration,
)
from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin import TwinServer, TwinSettings


@pytest.fixture(scope="module")
def port():
    with TwinServer(PassScenario(duration_s=0.1), TwinSettings(tail_frames=8)) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server.transmitter_url
        server.stop()
        thread.join()


@pytest.fixture
def file(tmp_path):
    pulse = PulseCalibration(
        width_s=Quantity(55e-12, 1e-13),
        jitter_s=Quantity(7e-12, 3e-13),
        lanes={"0": LaneDelay(2, 54)},
    )
    path = tmp_path / "calibration.json"
    save_calibration(path, msgspec.structs.replace(new_calibration("bench 2"), pulse=pulse))
    return path


def tx(*words):
    return CliRunner().invoke(command_line, ["tx", *map(str, words), "--json"])


def test_delays_of_a_calibration_are_in_the_lanes_afterwards(port, file):
    loaded = tx("calibration", "load", file, "--port", port)
    assert json.loads(loaded.output) == [{"lane": "0", "delay": 2, "fine_delay": 54}]
    (lane,) = json.loads(tx("lanes", "0", "--port", port).output)
    assert (lane["delay"], lane["fine_delay"]) == (2, 54)


def test_what_is_no_calibration_is_refused(port, tmp_path):
    path = tmp_path / "other.json"
    path.write_text("[]")
    assert isinstance(tx("calibration", "load", path, "--port", port).exception, TransmitterError)


def test_a_calibration_is_shown_without_a_board(file):
    shown = json.loads(tx("calibration", "show", file).output)
    assert shown["pulse"]["lane 0, slots + steps"] == "2 + 54"
