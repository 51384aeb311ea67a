"""Files of calibrations: the counts of every code, from which the tables are made again."""

from collections.abc import Collection
from pathlib import Path

import msgspec
import numpy as np

from keybeam.format_files import load_file, save_file
from keybeam.protocol.records import Channel
from keybeam.receiver.errors import CalibrationFileError
from keybeam.tagger import BinTable, CalibrationError, calibrate

__all__ = ["Calibration", "ChannelCounts", "load_calibration", "save_calibration"]

_FORMAT = "keybeam receiver calibration 1"


class ChannelCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the codes of one channel.

    Attributes
    ----------
    chains, taps : int
        Delay lines of the channel, and taps of each.
    pulses : int
        Pulses of the ring oscillator in 2^20 cycles at that time, by which drift is told.
    rising, falling : list of int or None
        How often each code came, from code 0 on; None for edges that were not counted.
    """

    chains: int
    taps: int
    pulses: int
    rising: list[int] | None
    falling: list[int] | None

    def tables(self) -> dict[str, BinTable]:
        """Tables by direction of edges, ``rising`` and ``falling``.

        Raises
        ------
        CalibrationError
            If there are too few counts, or the line is too short.
        """
        return {
            edge: calibrate(np.array(counts, np.int64), chains=self.chains, taps=self.taps)
            for edge, counts in (("rising", self.rising), ("falling", self.falling))
            if counts is not None
        }


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Calibration of a receiver.

    Attributes
    ----------
    format : str
        What this is, and in which version.
    created : str
        When, in UTC by ISO 8601.
    source : str
        Where the board was.
    gateware : str
        Revision of its gateware.
    channels : dict of str to ChannelCounts
        By the channels' names.
    """

    format: str = _FORMAT
    created: str
    source: str
    gateware: str
    channels: dict[str, ChannelCounts]

    def of_channels(self, names: Collection[str]) -> "Calibration":
        """Take some of the channels."""
        some = {name: counts for name, counts in self.channels.items() if name in names}
        return msgspec.structs.replace(self, channels=some)


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write a file of calibrations; what stood there is replaced once all of it is written.

    Parameters
    ----------
    path : Path
        The file (JSON).
    calibration : Calibration
        What to write.
    """
    save_file(path, calibration)


def load_calibration(path: Path) -> Calibration:
    """Read a file of calibrations and check it.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    CalibrationFileError
        If it is no such file, or a table cannot be made from its counts.
    """
    found = load_file(
        path,
        Calibration,
        form=_FORMAT,
        what="calibration of a receiver",
        error=CalibrationFileError,
    )
    try:
        for name, counts in found.channels.items():
            if name not in Channel.__members__ or counts.pulses < 1:
                raise CalibrationFileError(f"{path}: this is no calibration of a channel {name!r}")
            codes = counts.chains * counts.taps + 1
            for row in (counts.rising, counts.falling):
                if row is not None and len(row) != codes:
                    raise CalibrationFileError(
                        f"{path}: channel {name} has {len(row)} counts for {codes} codes"
                    )
            counts.tables()
    except CalibrationError as error:
        raise CalibrationFileError(f"{path}: {error}") from error
    return found
