"""Builds and runs the simulator: ``python -m keybeam_sim.cosimulation.worker RUN_FOLDER``.

A process of its own, because the simulator's tools write to standard output
and read the whole process's environment. Standard input is the socket on which
it and the simulator report to the process that started it.
"""

import os
import socket
import sys
from pathlib import Path

import msgspec

from keybeam_sim.cosimulation import bench
from keybeam_sim.cosimulation.blocks import TOP_NAME
from keybeam_sim.cosimulation.build import build_boards
from keybeam_sim.cosimulation.settings import SETTINGS_FILE, SETTINGS_VARIABLE, RunSettings
from keybeam_sim.simulators import run_simulation

__all__ = ["main"]


def main(folder: Path) -> int:
    """Build what the folder's settings ask for, if need be, and run it.

    Returns
    -------
    int
        Exit status: 0 if the simulation ended as it was told to.
    """
    settings = msgspec.json.decode((folder / SETTINGS_FILE).read_bytes(), type=RunSettings)
    with socket.socket(fileno=os.dup(0)) as control:

        def report(text: str) -> None:
            control.sendall(msgspec.json.encode({"progress": text}) + b"\n")

        build_folder = build_boards(settings.boards, settings.simulator, report)
    ran, failed = run_simulation(
        toplevel=TOP_NAME,
        test_module=bench.__name__,
        build_folder=build_folder,
        folder=folder,
        simulator=settings.simulator,
        environment={SETTINGS_VARIABLE: str(folder / SETTINGS_FILE)},
    )
    return 0 if (ran, failed) == (1, 0) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
