"""Station files: what instrument is where, checked as a whole, with line numbers."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keybeam.instruments.checks import Checks
from keybeam.instruments.drivers import MODELS
from keybeam.instruments.errors import StationError
from keybeam.instruments.instrument import Instrument, Kind, Limits, Settings
from keybeam.instruments.roles import ROLES
from keybeam.protocol.numbers import FRAME_SLOTS

__all__ = ["Entry", "SourceSettings", "StationFile", "read_station"]

_STATION = {"wavelength_nm": Limits(400.0, 1700.0, "nm")}
_SOURCE = {
    "temperature_c": Limits(5.0, 45.0, "°C"),
    "bias_ma": Limits(0.0, 1000.0, "mA"),
    "trigger_level_v": Limits(0.0, 5.0, "V"),
    "marker_divider": Limits(1, 1 << 16, "slots"),
    "fine_delay": Limits(0, 127, "steps"),
    "delay": Limits(0, 63, "slots"),
}
_TIMEOUT = {"timeout_s": Limits(0.1, 600.0, "s")}
_VOLTAGE = {"voltage_limit_v": Limits(0.0, 30.0, "V")}
_OF_KIND = {
    Kind.LASER_CONTROLLER: {"current_limit_ma": Limits(0.0, 1000.0, "mA")},
    Kind.BIAS_SOURCE: _VOLTAGE,
    Kind.WAVEFORM_GENERATOR: _VOLTAGE,
    Kind.ROTATION_MOUNT: {"zero_deg": Limits(-360.0, 360.0, "°")},
    Kind.POWER_METER: {"uncertainty_percent": Limits(0.0, 50.0, "%")},
    Kind.ATTENUATOR: {"uncertainty_db": Limits(0.0, 3.0, "dB")},
}
_TEXTS = ("model", "resource", "channel")


@dataclass(frozen=True)
class Entry:
    """An instrument of a station.

    Attributes
    ----------
    name : str
        What it is for, one of `ROLES`.
    driver : type of Instrument
        Driver of its model.
    resource : str
        VISA resource name.
    settings : Settings
        Channel and limits.
    timeout_s : float
        How long an answer may take.
    zero_deg : float
        Of a rotation mount: its angle when the plate's fast axis is horizontal.
    uncertainty : float or None
        What its certificate says: of a power meter the expanded uncertainty (k = 2) as a part of
        the reading, of an attenuator half of the interval of its scale's error in dB.
    """

    name: str
    driver: type[Instrument]
    resource: str
    settings: Settings
    timeout_s: float = 5.0
    zero_deg: float = 0.0
    uncertainty: float | None = None


@dataclass(frozen=True)
class SourceSettings:
    """How the transmitter's source is run unless a calibration says otherwise.

    Attributes
    ----------
    temperature_c, bias_a, trigger_level_v : float
        Laser temperature, bias current and control voltage of the pulse driver.
    marker_divider : int
        Slots from edge to edge of the marker output that the counter sees.
    delay, fine_delay : int
        Delays that lane 0, the laser's trigger, has while the oscilloscope measures.
    """

    temperature_c: float = 25.0
    bias_a: float = 0.0
    trigger_level_v: float = 0.0
    marker_divider: int = FRAME_SLOTS
    delay: int = 0
    fine_delay: int = 0


@dataclass(frozen=True)
class StationFile:
    """A station file's content.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Name of the station.
    wavelength_nm : float
        Nominal vacuum wavelength of the light.
    source : SourceSettings
        How the source is run.
    entries : dict of str to Entry
        Instruments by what they are for.
    """

    path: Path
    name: str
    wavelength_nm: float
    source: SourceSettings = field(default_factory=SourceSettings)
    entries: dict[str, Entry] = field(default_factory=dict)


class _StationChecks(Checks):
    """Checks of what only station files have."""

    def entry(self, name: str, content: Mapping[str, Any]) -> Entry | None:
        table = f"instruments.{name}"
        if name not in ROLES:
            close = difflib.get_close_matches(name, ROLES, 1)
            hint = f"; is {close[0]} meant?" if close else f" ({', '.join(ROLES)})"
            self.wrong(f"there is no use {name!r} of an instrument{hint}", table)
            return None
        before = len(self.problems)
        numbers = _TIMEOUT | _OF_KIND.get(ROLES[name], {})
        self.known(content, [*_TEXTS, *numbers], table)
        model = self.text(content, "model", table)
        resource = self.text(content, "resource", table)
        channel = self.text_or_number(content, "channel", table)
        values = self.numbers(content, numbers, table)
        driver = MODELS.get(model)
        if model and driver is None:
            close = difflib.get_close_matches(model, MODELS, 1)
            hint = f"; is {close[0]} meant?" if close else f" ({', '.join(MODELS)})"
            self.wrong(f"there is no driver for {model!r}{hint}", table, "model")
        elif driver is not None and driver.kind is not ROLES[name]:
            self.wrong(f"{name} is a {ROLES[name]}, but {model} a {driver.kind}", table, "model")
        current = values.get("current_limit_ma")
        settings = Settings(
            channel, values.get("voltage_limit_v"), None if current is None else 1e-3 * current
        )
        for limit in driver.required if driver is not None else ():
            key = "current_limit_ma" if limit == "current_limit_a" else limit
            if getattr(settings, limit) is None and key not in content:
                self.wrong(f"[{table}] has no {key}, without which {model} is not used", table)
        if driver is None or len(self.problems) > before:
            return None
        percent = values.get("uncertainty_percent")
        return Entry(
            name,
            driver,
            resource,
            settings,
            values.get("timeout_s", 5.0),
            values.get("zero_deg", 0.0),
            values.get("uncertainty_db") if percent is None else percent / 100,
        )

    def shared_addresses(self, entries: Mapping[str, Entry]) -> None:
        """Two mounts cannot have one address; other instruments may be used for two things."""
        places: dict[tuple[str, str], str] = {}
        for entry in entries.values():
            place = (entry.resource, entry.settings.channel)
            other = places.setdefault(place, entry.name)
            if other != entry.name and entry.driver is not entries[other].driver:
                self.wrong(
                    f"{entry.name} and {other} are different models at one place, {place[0]}",
                    f"instruments.{entry.name}",
                    "resource",
                )
            elif other != entry.name and entry.driver.model.startswith("thorlabs-ell"):
                self.wrong(
                    f"{entry.name} and {other} have one channel {place[1] or '0'!r}",
                    f"instruments.{entry.name}",
                    "channel",
                )


def read_station(path: Path) -> StationFile:
    """Read a station file and check all of it.

    Parameters
    ----------
    path : Path
        A TOML file; docs/instruments.md describes it.

    Raises
    ------
    StationError
        If anything is wrong or missing: one message with a line for each, in their order.
    """
    try:
        text = path.read_text()
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StationError(f"{path} is no TOML: {error}") from error
    checks = _StationChecks(text)
    checks.known(content, ("station", "source", "instruments"), "")
    station, source = checks.table(content, "station"), checks.table(content, "source")
    checks.known(station, ("name", *_STATION), "station")
    checks.known(source, _SOURCE, "source")
    name = checks.text(station, "name", "station")
    general = checks.numbers(station, _STATION, "station")
    if "wavelength_nm" not in station:
        checks.wrong("[station] has no wavelength_nm", "station")
    run = checks.numbers(source, _SOURCE, "source")
    instruments = checks.table(content, "instruments")
    if not instruments:
        checks.wrong("there is no instrument: [instruments.NAME] for each", "instruments")
    found = {
        key: checks.entry(key, checks.table(instruments, key, "instruments")) for key in instruments
    }
    entries = {key: entry for key, entry in found.items() if entry is not None}
    checks.shared_addresses(entries)
    if checks.problems:
        count = len(checks.problems)
        listed = "\n".join(f"  line {line}: {text}" for line, text in sorted(checks.problems))
        raise StationError(
            f"{path} has {count} wrong or missing {'entry' if count == 1 else 'entries'}:\n{listed}"
        )
    return StationFile(path, name, general["wavelength_nm"], _source_settings(run), entries)


def _source_settings(run: Mapping[str, float]) -> SourceSettings:
    return SourceSettings(
        temperature_c=run.get("temperature_c", 25.0),
        bias_a=1e-3 * run.get("bias_ma", 0.0),
        trigger_level_v=run.get("trigger_level_v", 0.0),
        marker_divider=int(run.get("marker_divider", FRAME_SLOTS)),
        delay=int(run.get("delay", 0)),
        fine_delay=int(run.get("fine_delay", 0)),
    )
