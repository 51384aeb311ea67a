"""What can go wrong with a build, each with the line that a user reads."""

from pathlib import Path

from keybeam.errors import KeybeamError

__all__ = ["BuildError", "FlashError", "OptionError", "RuleError", "TimingError", "ToolError"]


class BuildError(KeybeamError):
    """Base of the errors of a build."""


class ToolError(BuildError):
    """A program of the toolchain is missing or failed.

    Parameters
    ----------
    reason : str
        What went wrong.
    folder : Path, optional
        Where its files are. The message names it; `reason` does not.
    """

    def __init__(self, reason: str, folder: Path | None = None):
        super().__init__(reason if folder is None else f"{reason} (see {folder})")
        self.reason = reason
        self.folder = folder


class OptionError(BuildError):
    """An option that the board or the terminal does not have."""


class RuleError(BuildError):
    """The design breaks a limit of the part that the toolchain does not check."""


class TimingError(BuildError):
    """A clock is not met."""


class FlashError(KeybeamError):
    """A bitstream could not be brought to a board."""
