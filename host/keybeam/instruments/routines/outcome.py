"""What a routine gives: figures, data, a plot, and a section of the transmitter's calibration."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
from matplotlib.figure import Figure

from keybeam.drawing import svg_figure
from keybeam.output import Value
from keybeam.transmitter.calibration_file import (
    TransmitterCalibration,
    load_calibration,
    new_calibration,
    save_calibration,
)
from keybeam.whole_files import write_json

__all__ = [
    "Files",
    "Goal",
    "Outcome",
    "save_outcome",
    "significant",
]


@dataclass(frozen=True)
class Goal:
    """What a figure should reach.

    Attributes
    ----------
    name : str
        The figure.
    measured, wanted : float
        What was found, and the least that is wanted.
    unit : str
        Of both.
    """

    name: str
    measured: float
    wanted: float
    unit: str

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.measured >= self.wanted


class Outcome(ABC):
    """What a routine found."""

    name: ClassVar[str]
    """Of the routine, and of its files."""

    @abstractmethod
    def figures(self) -> dict[str, dict[str, Value]]:
        """Figures by section, for a table."""

    @abstractmethod
    def data(self) -> dict[str, Any]:
        """Give what was measured, as numbers and arrays with their units in the names."""

    @abstractmethod
    def draw(self, figure: Figure) -> None:
        """Draw it into an empty figure."""

    @abstractmethod
    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Put what was found into a calibration, and leave the rest of it."""

    def goals(self) -> list[Goal]:
        """List what should be reached."""
        return []


@dataclass(frozen=True)
class Files:
    """Where an outcome was written to."""

    data: Path
    plot: Path
    calibration: Path


def significant(value: float, digits: int = 2) -> float:
    """Round to some digits that say something, as uncertainties are."""
    return float(f"{value:.{digits}g}")


def _plain(content: Any) -> Any:
    """Turn what `msgspec` does not know, arrays, into lists."""
    if isinstance(content, np.ndarray):
        return content.tolist()
    raise NotImplementedError(f"a {type(content).__name__} cannot be written")


def save_outcome(outcome: Outcome, folder: Path, calibration: Path, station: str) -> Files:
    """Write data (JSON), plot (SVG) and the calibration's section of an outcome.

    Parameters
    ----------
    outcome : Outcome
        What was found.
    folder : Path
        Where data and plot go; made if it does not exist.
    calibration : Path
        A calibration of the transmitter, whose other sections are kept if it exists.
    station : str
        Name of the station.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known = load_calibration(calibration) if calibration.exists() else new_calibration(station)
    content = {
        "routine": outcome.name,
        "station": station,
        "measured": now,
        "figures": outcome.figures(),
        "data": outcome.data(),
    }
    files = Files(folder / f"{outcome.name}.json", folder / f"{outcome.name}.svg", calibration)
    write_json(files.data, content, enc_hook=_plain)
    with svg_figure(files.plot, outcome.name, (8.4, 3.6), font_size=9) as figure:
        outcome.draw(figure)
    updated = outcome.update(known)
    measured = dict(known.measured)
    for section in ("laser", "modulator", "polarisation", "intensity", "pulse"):
        if getattr(updated, section) is not getattr(known, section):
            measured[section] = now
    save_calibration(
        calibration, msgspec.structs.replace(updated, station=station, measured=measured)
    )
    return files
