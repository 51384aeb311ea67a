"""The receiver as its host sees it: state, settings and calibration, over its registers."""

from keybeam.receiver.calibration import (
    calibrate_channel,
    load_tables,
    new_calibration,
    ring_pulses,
)
from keybeam.receiver.calibration_file import (
    Calibration,
    ChannelCounts,
    load_calibration,
    save_calibration,
)
from keybeam.receiver.channels import ChannelSettings, Edge, channel_settings, set_channel
from keybeam.receiver.errors import CalibrationFileError, ReceiverError
from keybeam.receiver.line import line_status, set_line
from keybeam.receiver.status import channel_rates, clear_flags, receiver_status

__all__ = [
    "Calibration",
    "CalibrationFileError",
    "ChannelCounts",
    "ChannelSettings",
    "Edge",
    "ReceiverError",
    "calibrate_channel",
    "channel_rates",
    "channel_settings",
    "clear_flags",
    "line_status",
    "load_calibration",
    "load_tables",
    "new_calibration",
    "receiver_status",
    "ring_pulses",
    "save_calibration",
    "set_channel",
    "set_line",
]
