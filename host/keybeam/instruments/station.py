"""A station: the instruments that a station file names, opened together and left safe together."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from keybeam.instruments.errors import StationError
from keybeam.instruments.instrument import Instrument
from keybeam.instruments.link import Link, VisaLink
from keybeam.instruments.station_file import Entry, StationFile

__all__ = ["OpenLink", "OpenStation", "open_link", "open_station"]

Driver = TypeVar("Driver")

OpenLink = Callable[[Entry], Link]
"""Opens the way to an instrument."""


def open_link(entry: Entry) -> Link:
    """Open the way to an instrument through PyVISA."""
    return VisaLink(entry.resource, entry.driver.terminations, timeout_s=entry.timeout_s)


class OpenStation:
    """Instruments that are open.

    Parameters
    ----------
    file : StationFile
        What the station file says.
    instruments : dict of str to Instrument
        By what they are for.
    """

    def __init__(self, file: StationFile, instruments: dict[str, Instrument]) -> None:
        self.file = file
        self._instruments = instruments

    def __contains__(self, name: str) -> bool:
        return name in self._instruments

    def get(self, name: str, kind: type[Driver]) -> Driver:
        """Give an instrument by what it is for, as the kind that it is.

        Raises
        ------
        StationError
            If it is not open, or of another kind.
        """
        found = self._instruments.get(name)
        if not isinstance(found, kind):
            raise StationError(f"{self.file.path} has no {name}, which this needs")
        return found

    def entry(self, name: str) -> Entry:
        """Give what the station file says of an instrument."""
        return self.file.entries[name]


@contextmanager
def open_station(
    file: StationFile,
    needed: tuple[str, ...],
    useful: tuple[str, ...] = (),
    *,
    opener: OpenLink = open_link,
) -> Iterator[OpenStation]:
    """Open instruments; however it ends, all of them are left in their safe states.

    Parameters
    ----------
    file : StationFile
        The station.
    needed, useful : tuple of str
        What must be there, and what is opened if it is there. The first of `needed` is made safe
        first.
    opener : callable
        Opens the way to an entry; instruments at one resource share it.

    Raises
    ------
    StationError
        If any of the needed ones is not in the station file; all are named.
    InstrumentError
        If one cannot be reached, or is another one.
    """
    missing = [name for name in needed if name not in file.entries]
    if missing:
        raise StationError(
            f"{file.path} has no {', '.join(missing)}: add [instruments.{missing[0]}]"
            + (" and the others" if missing[1:] else "")
        )
    names = [*needed, *(name for name in useful if name in file.entries)]
    links: dict[str, Link] = {}
    opened: dict[str, Instrument] = {}
    with ExitStack() as stack:
        for name in names:
            entry = file.entries[name]
            if entry.resource not in links:
                links[entry.resource] = opener(entry)
                stack.callback(links[entry.resource].close)
        for name in reversed(names):
            entry = file.entries[name]
            opened[name] = stack.enter_context(entry.driver(links[entry.resource], entry.settings))
        yield OpenStation(file, opened)
