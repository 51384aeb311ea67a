"""What all instruments have in common: who they are, checked messages, and a safe state."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

from keybeam.instruments.errors import InstrumentError, InstrumentLimitError
from keybeam.instruments.link import Link, Terminations

__all__ = ["Identity", "Instrument", "Kind", "Limits", "ScpiInstrument", "Settings", "number"]


class Kind(StrEnum):
    """Kinds of instruments."""

    OSCILLOSCOPE = "oscilloscope"
    POWER_METER = "optical power meter"
    ATTENUATOR = "variable optical attenuator"
    LASER_CONTROLLER = "laser diode and temperature controller"
    BIAS_SOURCE = "bias source"
    WAVEFORM_GENERATOR = "waveform generator or supply of modulators"
    ROTATION_MOUNT = "motorised rotation mount"
    FREQUENCY_COUNTER = "frequency counter"
    SPECTRUM_ANALYSER = "optical spectrum analyser"


class Identity(NamedTuple):
    """What an instrument says of itself."""

    manufacturer: str
    model: str
    serial: str
    firmware: str


class Limits(NamedTuple):
    """Range of a setting, its ends included."""

    low: float
    high: float
    unit: str

    def check(self, what: str, value: float) -> float:
        """Give the value back if it lies in the range.

        Raises
        ------
        InstrumentLimitError
            If it does not.
        """
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise InstrumentLimitError(
                f"{what} of {value:g} {self.unit} is outside of {self.low:g} to {self.high:g} "
                f"{self.unit}; nothing was sent"
            )
        return value


@dataclass(frozen=True)
class Settings:
    """What the station file says of an instrument beside model and resource.

    Attributes
    ----------
    channel : str
        Output, input, slot or bus address, where the model has several; empty for its first.
    voltage_limit_v : float or None
        Largest voltage, of either sign, that may leave the instrument.
    current_limit_a : float or None
        Largest current that may leave the instrument.
    """

    channel: str = ""
    voltage_limit_v: float | None = None
    current_limit_a: float | None = None

    def voltage_limits(self, most_v: float) -> Limits:
        """Range of a voltage: the user's limit, or what the model can do if that is less."""
        assert self.voltage_limit_v is not None, "a driver that asks this requires the limit"
        high = min(self.voltage_limit_v, most_v)
        return Limits(-high, high, "V")


def number(value: float) -> str:
    """Write a number as messages have it, to nine digits."""
    return f"{value:.9g}"


class Instrument(ABC):
    """An instrument; a context that leaves it in a safe state, however it ends.

    Parameters
    ----------
    link : Link
        The way to it. `close` does not close it: instruments on one bus share one.
    settings : Settings
        What the station file says of it.
    """

    kind: ClassVar[Kind]
    model: ClassVar[str]
    """Name in station files."""
    device: ClassVar[str]
    """Manufacturer and models, as one reads them."""
    manual: ClassVar[str]
    """Title, number and section of the manual that the messages were taken from."""
    terminations: ClassVar[Terminations] = Terminations()
    required: ClassVar[tuple[str, ...]] = ()
    """Fields of `Settings` without which it is not used."""

    def __init__(self, link: Link, settings: Settings | None = None) -> None:
        self.link = link
        self.settings = settings or Settings()
        for name in self.required:
            if getattr(self.settings, name) is None:
                raise InstrumentLimitError(f"{self.model} is not used without {name}")

    def __enter__(self) -> Self:
        try:
            self.identify()
            self.prepare()
        except BaseException:
            self._leave_safe_after_error()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is None:
            self.make_safe()
        else:
            self._leave_safe_after_error()

    def _leave_safe_after_error(self) -> None:
        try:
            self.make_safe()
        except InstrumentError:
            # The first error is the one to tell; an instrument that does not answer cannot be
            # made safe by more messages.
            return

    @abstractmethod
    def identify(self) -> Identity:
        """Ask the instrument who it is.

        Raises
        ------
        InstrumentError
            If it is none of the models that this driver knows.
        """

    @abstractmethod
    def prepare(self) -> None:
        """Clear old errors and load the limits."""

    @abstractmethod
    def make_safe(self) -> None:
        """Bring it into the state in which it harms nothing: outputs off, shutters closed."""


class ScpiInstrument(Instrument):
    """An instrument that speaks SCPI: IEEE 488.2 common commands and an error queue."""

    identity: ClassVar[tuple[str, ...]]
    """Words of which one stands in its answer to ``*IDN?``."""
    error_query: ClassVar[str] = "SYST:ERR?"

    def identify(self) -> Identity:
        """Ask the instrument who it is, by ``*IDN?`` (IEEE 488.2, section 10.14)."""
        answer = self.link.query("*IDN?")
        if not any(word.upper() in answer.upper() for word in self.identity):
            raise InstrumentError(
                f"{self.link.name} says {answer!r}, but a {self.device} is expected there"
            )
        fields = [field.strip() for field in answer.split(",")]
        return Identity(*(fields + 4 * [""])[:4])

    def prepare(self) -> None:
        """Clear old errors."""
        self.link.write("*CLS")

    def command(self, *messages: str, timeout_s: float | None = None) -> None:
        """Send messages one by one, wait until they are done, and ask whether all went well.

        Parameters
        ----------
        *messages : str
            Commands without answer.
        timeout_s : float, optional
            How long they may take, in seconds; as the link has it without.

        Raises
        ------
        InstrumentError
            If the instrument's error queue is not empty afterwards.
        """
        for message in messages:
            self.link.write(message)
        self.link.query("*OPC?", timeout_s=timeout_s)
        self.check_errors(messages[-1] if messages else "*OPC?")

    def check_errors(self, after: str) -> None:
        """Ask for the oldest error in the queue.

        Raises
        ------
        InstrumentError
            If there is one.
        """
        answer = self.link.query(self.error_query)
        code = answer.split(",")[0].strip()
        if not code.lstrip("+-").isdigit() or int(code):
            raise InstrumentError(f"{self.model} at {self.link.name}, after {after!r}: {answer}")

    def read_number(self, message: str, *, timeout_s: float | None = None) -> float:
        """Ask for a number.

        Raises
        ------
        InstrumentError
            If the answer is none.
        """
        answer = self.link.query(message, timeout_s=timeout_s)
        try:
            value = float(answer)
        except ValueError:
            value = math.nan
        # SCPI-99, volume 1, section 7.2.1.5: 9.91E+37 stands for not a number.
        if not math.isfinite(value) or abs(value) >= 9.9e37:
            self.check_errors(message)
            raise InstrumentError(
                f"{self.model} at {self.link.name} answered {message!r} by {answer!r}, "
                "which is no number"
            )
        return value
