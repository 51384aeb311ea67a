"""Boards: platforms, pins, builds and what the tools' reports say."""

from keybeam_boards.bitstream import build
from keybeam_boards.build_report import BuildReport
from keybeam_boards.errors import BuildError, OptionError, RuleError, TimingError, ToolError
from keybeam_boards.platforms import BOARDS

__all__ = [
    "BOARDS",
    "BuildError",
    "BuildReport",
    "OptionError",
    "RuleError",
    "TimingError",
    "ToolError",
    "build",
]
