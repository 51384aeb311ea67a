"""Verilog simulators that run cocotb tests on the emitted gateware.

Verilator comes with the package; Icarus is used where it is installed.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from amaranth.back import rtlil, verilog
from amaranth.lib import wiring
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from keybeam_sim import verilator

__all__ = [
    "OPTIONAL_SIMULATORS",
    "available_simulators",
    "build_simulation",
    "emit_verilog",
    "run_cocotb",
    "run_simulation",
]

OPTIONAL_SIMULATORS = {"icarus": "iverilog"}
"""Simulators that need a program which pip does not install, and the program's name."""

_BUILD_ARGUMENTS = {
    "verilator": ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-initial", "unique", "-O3"],
    # Not 2012: there Icarus sets variables before it starts processes, and the blocks that Yosys
    # writes, which wait for such a change at time 0, would stay unknown until an input changes.
    "icarus": ["-g2005"],
}
_TIMESCALES = {"verilator": ("1ns", "1fs"), "icarus": ("1ns", "1ps")}

_MEMORY = re.compile(
    r"^  reg \[(?P<msb>\d+):0\] (?P<name>\S+) +\[(?P<last>\d+):0\];\n(?!  initial)", re.MULTILINE
)
"""A memory without initial contents, as Yosys writes it."""


def available_simulators() -> list[str]:
    """Names of the simulators that can run here, Verilator first."""
    return ["verilator"] + [
        name for name, program in OPTIONAL_SIMULATORS.items() if shutil.which(program)
    ]


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
    with _no_contents_of_zeros():
        text = verilog.convert(component, name=name, emit_src=False)
    path.write_text(_MEMORY.sub(_with_zeros, text))
    return path


@contextmanager
def _no_contents_of_zeros() -> Iterator[None]:
    """Let Amaranth leave out the initial contents of memories that are all zero, for a while.

    It writes contents bit by bit, and Yosys a statement a word: minutes for some megabits, and
    minutes more in a simulator.
    """
    emit = rtlil.ModuleEmitter.emit_memory

    def emit_unless_zero(self, cell_index, cell):
        if any(cell.init):
            emit(self, cell_index, cell)

    rtlil.ModuleEmitter.emit_memory = emit_unless_zero
    try:
        yield
    finally:
        rtlil.ModuleEmitter.emit_memory = emit


def _with_zeros(memory: re.Match[str]) -> str:
    """Give a memory its zeros in a loop."""
    name, width = memory["name"], int(memory["msb"]) + 1
    label = "clear_" + re.sub(r"\W", "_", name)
    return (
        f"{memory[0]}  initial begin : {label}\n    integer word;\n"
        f"    for (word = 0; word <= {memory['last']}; word = word + 1)\n"
        f"      {name} [word] = {width}'d0;\n  end\n"
    )


@contextmanager
def _environment(search_folder: Path | None = None) -> Iterator[None]:
    """Set what Verilator needs, and put a folder first on the module path, for a while."""
    # The runner hands its own search path on to the simulator, whatever PYTHONPATH says.
    before, modules = dict(os.environ), list(sys.path)
    os.environ.update(verilator.variables())
    if search_folder is not None:
        sys.path.insert(0, str(search_folder))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.path[:] = modules


def build_simulation(
    *,
    sources: Sequence[Path],
    toplevel: str,
    folder: Path,
    simulator: str = "verilator",
    opaque: bool = False,
) -> None:
    """Compile Verilog sources for cocotb.

    Parameters
    ----------
    sources : sequence of Path
        Verilog files.
    toplevel : str
        Name of the top module.
    folder : Path
        Where to build.
    simulator : str
        One of `available_simulators`.
    opaque : bool
        Let Verilator optimise away all that the sources do not mark as public, instead of all but
        the signals of the top module.

    Raises
    ------
    RuntimeError
        If the simulator's compiler fails.
    """
    with _environment():
        is_verilator = simulator == "verilator"
        runner = verilator.OpaqueVerilator() if is_verilator else get_runner(simulator)
        marks = [verilator.public_signals(toplevel, folder)] if is_verilator and not opaque else []
        runner.build(
            sources=[*marks, *sources],
            hdl_toplevel=toplevel,
            build_args=_BUILD_ARGUMENTS[simulator],
            build_dir=folder,
            timescale=_TIMESCALES[simulator],
            always=True,
        )
        if is_verilator:
            verilator.keep_runtime(folder)


def run_simulation(
    *,
    toplevel: str,
    test_module: str,
    build_folder: Path,
    folder: Path,
    simulator: str = "verilator",
    environment: Mapping[str, str] | None = None,
    search_folder: Path | None = None,
    seed: int = 1,
) -> tuple[int, int]:
    """Run a module of cocotb tests on what `build_simulation` built.

    Parameters
    ----------
    toplevel : str
        Name of the top module.
    test_module : str
        Importable name of the Python module with the cocotb tests.
    build_folder : Path
        Where it was built.
    folder : Path
        Where to run; a file ``results.xml`` is left there.
    simulator : str
        One of `available_simulators`.
    environment : mapping of str to str, optional
        Additional environment variables for the tests.
    search_folder : Path, optional
        Folder that is put on the module search path of the tests.
    seed : int
        Seed of the random numbers that cocotb gives to the tests; printed.

    Returns
    -------
    ran, failed : int
        Numbers of tests.
    """
    with _environment(search_folder):
        results = get_runner(simulator).test(
            hdl_toplevel=toplevel,
            hdl_toplevel_lang="verilog",
            test_module=test_module,
            build_dir=build_folder,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            seed=seed,
            extra_env=dict(environment or {}),
        )
    return get_results(results)


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
    build_simulation(sources=sources, toplevel=toplevel, folder=folder, simulator=simulator)
    ran, failed = run_simulation(
        toplevel=toplevel,
        test_module=test_module,
        build_folder=folder,
        folder=folder,
        simulator=simulator,
        environment=environment,
        search_folder=test_folder,
        seed=seed,
    )
    assert ran > 0, f"no cocotb test ran in {test_module} on {simulator}"
    assert failed == 0, f"{failed} of {ran} cocotb tests of {test_module} failed on {simulator}"
    return ran
