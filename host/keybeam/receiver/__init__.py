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
from keybeam.receiver.gating import (
    GateMode,
    GateSettings,
    Marker,
    follow_clock,
    gate_settings,
    marker_settings,
    set_gate,
    set_marker,
)
from keybeam.receiver.histogram import centre_of, count_phases, read_phases
from keybeam.receiver.line import line_status, set_line
from keybeam.receiver.status import channel_rates, clear_flags, receiver_status

__all__ = [
    "Calibration",
    "CalibrationFileError",
    "ChannelCounts",
    "ChannelSettings",
    "Edge",
    "GateMode",
    "GateSettings",
    "Marker",
    "ReceiverError",
    "calibrate_channel",
    "centre_of",
    "channel_rates",
    "channel_settings",
    "clear_flags",
    "count_phases",
    "follow_clock",
    "gate_settings",
    "line_status",
    "load_calibration",
    "load_tables",
    "marker_settings",
    "new_calibration",
    "read_phases",
    "receiver_status",
    "ring_pulses",
    "save_calibration",
    "set_channel",
    "set_gate",
    "set_line",
    "set_marker",
]
