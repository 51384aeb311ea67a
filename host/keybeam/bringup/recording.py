"""A recorded run: a folder with what was asked, planned and measured."""

import zipfile
from pathlib import Path

import msgspec
import numpy as np

from keybeam.bringup.checks import BringUpError, Data
from keybeam.bringup.identity import Asked
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps import SAMPLES

__all__ = ["Recording", "RecordingHead", "read_recording"]

_HEAD = "recording.json"
_DATA = "data"
_FORMAT = 1


class RecordingHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a recorded run began with.

    Attributes
    ----------
    version : int
        Version of the recording's format.
    created : str
        When, in UTC by ISO 8601.
    software : str
        Program and version.
    plan : Plan
        Amounts and limits.
    asked : list of Asked
        The boards.
    steps : list of str
        Names of the steps that were wanted.
    """

    version: int = _FORMAT
    created: str
    software: str
    plan: Plan
    asked: list[Asked]
    steps: list[str]


class Recording:
    """Writes a run as it goes, so that what was measured before a fault is kept.

    Parameters
    ----------
    folder : Path
        The folder; made if it is not there.
    head : RecordingHead
        What it begins with.
    """

    def __init__(self, folder: Path, head: RecordingHead) -> None:
        self._folder = folder / _DATA
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.iterdir():
            if old.suffix in (".npz", ".txt"):
                old.unlink()
        (folder / _HEAD).write_bytes(msgspec.json.format(msgspec.json.encode(head), indent=1))

    def keep(self, step: str, data: Data) -> None:
        """Write what a step measured.

        The samples of random bits are also written as NIST's tools take them: a byte a bit.
        """
        np.savez_compressed(self._folder / f"{step}.npz", **data)  # type: ignore[arg-type]
        for chip, name in SAMPLES.items():
            if name in data:
                sample = data[name].astype(np.uint8).tobytes()
                (self._folder / f"random-sample-{chip}.bin").write_bytes(sample)

    def fail(self, step: str, error: str) -> None:
        """Write why a step could not be measured."""
        (self._folder / f"{step}.txt").write_text(error, "utf-8")


def read_recording(folder: Path) -> tuple[RecordingHead, dict[str, Data | str]]:
    """Read a recorded run.

    Parameters
    ----------
    folder : Path
        Where `Recording` wrote it.

    Returns
    -------
    head : RecordingHead
        What it began with.
    measured : dict of str to Data or str
        By step, what it measured, or why it could not.

    Raises
    ------
    BringUpError
        If the folder holds no such recording.
    """
    try:
        head = msgspec.json.decode((folder / _HEAD).read_bytes(), type=RecordingHead)
    except FileNotFoundError:
        raise BringUpError(f"{folder} holds no recorded bring-up: there is no {_HEAD}") from None
    except msgspec.DecodeError as error:
        raise BringUpError(f"{folder / _HEAD}: not of a recorded bring-up: {error}") from error
    if head.version != _FORMAT:
        raise BringUpError(
            f"{folder / _HEAD} has version {head.version}, this program reads {_FORMAT}"
        )
    measured: dict[str, Data | str] = {}
    for step in head.steps:
        arrays, text = (folder / _DATA / f"{step}.{kind}" for kind in ("npz", "txt"))
        if text.exists():
            measured[step] = text.read_text("utf-8")
        elif arrays.exists():
            try:
                with np.load(arrays) as archive:
                    measured[step] = {name: archive[name] for name in archive.files}
            except (ValueError, EOFError, zipfile.BadZipFile) as error:
                raise BringUpError(f"{arrays} cannot be read: {error}") from error
    return head, measured
