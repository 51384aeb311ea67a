"""Boards: platforms, pins, builds and what the tools' reports say."""

from keybeam_boards.bitstream import BOARDS, build
from keybeam_boards.build_report import BuildReport
from keybeam_boards.errors import BuildError, RuleError, TimingError, ToolError

__all__ = [
    "BOARDS",
    "BuildError",
    "BuildReport",
    "RuleError",
    "TimingError",
    "ToolError",
    "build",
]
