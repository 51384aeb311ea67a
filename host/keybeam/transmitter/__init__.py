"""The transmitter as its host sees it: state, settings and look-up, over its registers."""

from keybeam.transmitter.calibration import load_lane_delays
from keybeam.transmitter.calibration_file import (
    TransmitterCalibration,
    load_calibration,
    save_calibration,
)
from keybeam.transmitter.errors import TransmitterBusyError, TransmitterError
from keybeam.transmitter.lookup import Pulse, look_up
from keybeam.transmitter.settings import (
    clear_flags,
    load_lane_table,
    load_symbol_map,
    load_user_pattern,
    read_symbol_map,
    set_lane,
    set_mode,
    start,
    stop,
)
from keybeam.transmitter.sources import (
    clear_alarms,
    inject_fault,
    restart_source,
    set_cutoffs,
    set_origin,
    test_source,
)
from keybeam.transmitter.status import lane_settings, source_status, transmitter_status

__all__ = [
    "Pulse",
    "TransmitterBusyError",
    "TransmitterCalibration",
    "TransmitterError",
    "clear_alarms",
    "clear_flags",
    "inject_fault",
    "lane_settings",
    "load_calibration",
    "load_lane_delays",
    "load_lane_table",
    "load_symbol_map",
    "load_user_pattern",
    "look_up",
    "read_symbol_map",
    "restart_source",
    "save_calibration",
    "set_cutoffs",
    "set_lane",
    "set_mode",
    "set_origin",
    "source_status",
    "start",
    "stop",
    "test_source",
    "transmitter_status",
]
