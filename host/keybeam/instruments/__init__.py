"""Laboratory instruments through PyVISA, and the routines that measure a transmitter with them."""

from keybeam.instruments.drivers import MODELS
from keybeam.instruments.errors import (
    InstrumentError,
    InstrumentLimitError,
    InstrumentTimeoutError,
    MeasurementError,
    StationError,
)
from keybeam.instruments.instrument import Identity, Instrument, Kind, Settings
from keybeam.instruments.link import Link, VisaLink
from keybeam.instruments.roles import ROLES
from keybeam.instruments.station import OpenStation, open_station
from keybeam.instruments.station_file import StationFile, read_station

__all__ = [
    "MODELS",
    "ROLES",
    "Identity",
    "Instrument",
    "InstrumentError",
    "InstrumentLimitError",
    "InstrumentTimeoutError",
    "Kind",
    "Link",
    "MeasurementError",
    "OpenStation",
    "Settings",
    "StationError",
    "StationFile",
    "VisaLink",
    "open_station",
    "read_station",
]
