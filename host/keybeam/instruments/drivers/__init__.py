"""Drivers of real models, by the names that station files give them."""

from keybeam.instruments.drivers.keithley_2450 import Keithley2450
from keybeam.instruments.drivers.keysight_8157x import Keysight81577a, Keysight81578a
from keybeam.instruments.drivers.keysight_33600a import Keysight33600a
from keybeam.instruments.drivers.keysight_53230a import Keysight53230a
from keybeam.instruments.drivers.keysight_infiniium import KeysightInfiniium
from keybeam.instruments.drivers.thorlabs_ell14 import ThorlabsEll14
from keybeam.instruments.drivers.thorlabs_itc4001 import ThorlabsItc4001
from keybeam.instruments.drivers.thorlabs_pm100d import ThorlabsPm100d
from keybeam.instruments.drivers.yokogawa_aq6370 import YokogawaAq6370
from keybeam.instruments.drivers.yokogawa_gs200 import YokogawaGs200
from keybeam.instruments.instrument import Instrument

__all__ = [
    "MODELS",
    "Keithley2450",
    "Keysight33600a",
    "Keysight53230a",
    "Keysight81577a",
    "Keysight81578a",
    "KeysightInfiniium",
    "ThorlabsEll14",
    "ThorlabsItc4001",
    "ThorlabsPm100d",
    "YokogawaAq6370",
    "YokogawaGs200",
]

MODELS: dict[str, type[Instrument]] = {
    driver.model: driver
    for driver in (
        KeysightInfiniium,
        ThorlabsPm100d,
        Keysight81577a,
        Keysight81578a,
        ThorlabsItc4001,
        YokogawaGs200,
        Keithley2450,
        Keysight33600a,
        ThorlabsEll14,
        Keysight53230a,
        YokogawaAq6370,
    )
}
"""Driver of each model."""
