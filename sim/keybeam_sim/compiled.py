"""Blocks of gateware as compiled programs: inputs of every cycle in, outputs of every cycle out.

For long runs without a test bench that reacts: some million cycles a second, where cocotb, which
stops at every clock edge, does a tenth of a million.
"""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from amaranth.hdl import Value
from amaranth.lib import wiring
from numpy.typing import ArrayLike, NDArray

from keybeam_sim import verilator
from keybeam_sim.cache import cache_folder, locked
from keybeam_sim.simulators import emit_verilog

__all__ = ["CompiledBlock"]

_TOP = "block"

_MAIN = """#include "Vblock.h"
#include <cstdint>
#include <cstdio>
#include <vector>

// Every word of the input is an input of a cycle; every word of the output an output before the
// clock edge of that cycle.
int main() {{
    VerilatedContext context;
    Vblock block{{&context}};
    std::vector<uint64_t> in({inputs}), out({outputs});
    block.rst = 0;
    block.clk = 0;
    block.eval();
    while (fread(in.data(), 8, in.size(), stdin) == in.size()) {{
{set}
        block.eval();
{get}
        fwrite(out.data(), 8, out.size(), stdout);
        block.clk = 1;
        block.eval();
        block.clk = 0;
    }}
}}
"""


class CompiledBlock:
    """A component, made into a program by Verilator.

    Parameters
    ----------
    component : Component
        What to run; no port may be wider than 64 bits. The same gateware is compiled once only.

    Raises
    ------
    ValueError
        If a port is too wide.
    RuntimeError
        If it cannot be compiled.
    """

    def __init__(self, component: wiring.Component) -> None:
        emitted = emit_verilog(component, _TOP, cache_folder("compiled") / f"{os.getpid()}.v")
        source = emitted.read_text()
        emitted.unlink()
        self._inputs: list[str] = []
        self._outputs: list[str] = []
        for path, member, value in component.signature.flatten(component):
            name = "__".join(map(str, path))
            if len(Value.cast(value)) > 64:
                raise ValueError(f"port {name} has {len(Value.cast(value))} bits, at most 64 fit")
            (self._inputs if member.flow == wiring.In else self._outputs).append(name)
        self._program = self._build(source)

    def run(
        self, cycles: int, inputs: Mapping[str, ArrayLike], outputs: list[str]
    ) -> dict[str, NDArray[np.uint64]]:
        """Run the block from its reset state on.

        Parameters
        ----------
        cycles : int
            Cycles to run.
        inputs : mapping of str to int or ndarray, shape (cycles,)
            Values of ports in every cycle, or one for all; ports that are not named are 0. Names
            of ports inside of others are joined by two underscores.
        outputs : list of str
            Ports to give back.

        Returns
        -------
        dict of str to ndarray of uint64, shape (cycles,)
            What the ports were at the end of every cycle.
        """
        unknown = set(inputs) - set(self._inputs) | set(outputs) - set(self._outputs)
        if unknown:
            raise ValueError(f"the block has no such ports: {', '.join(sorted(unknown))}")
        table = np.zeros((cycles, len(self._inputs)), np.uint64)
        for name, values in inputs.items():
            table[:, self._inputs.index(name)] = values
        process = subprocess.run(
            [self._program], input=table.tobytes(), stdout=subprocess.PIPE, check=True
        )
        found = np.frombuffer(process.stdout, np.uint64).reshape(cycles, len(self._outputs))
        return {name: found[:, self._outputs.index(name)] for name in outputs}

    def _build(self, source: str) -> Path:
        """Compile the block, if that was not done before, and give the program's path."""
        main = self._main()
        name = hashlib.sha256((source + main).encode()).hexdigest()[:16]
        folder = cache_folder("compiled") / name
        program = folder / "obj" / f"V{_TOP}"
        with locked(folder):
            if not program.exists():
                folder.mkdir(exist_ok=True)
                (folder / f"{_TOP}.v").write_text(source)
                (folder / "main.cpp").write_text(main)
                self._compile(folder)
        return program

    def _compile(self, folder: Path) -> None:
        verilate = ["verilator", "--cc", "--exe", "-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
        verilate += ["--Mdir", "obj", "--top-module", _TOP, f"{_TOP}.v", "main.cpp"]
        self._step(verilate, folder)
        kept = verilator.kept_runtime()
        if kept:
            # After Verilator, so that make finds them newer than the makefile.
            self._step(["cp", *kept, "obj"], folder)
        self._step(["make", "-C", "obj", "-f", f"V{_TOP}.mk", "OPT_FAST=-O2"], folder)

    def _step(self, command: list[str], folder: Path) -> None:
        process = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | verilator.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if process.returncode:
            raise RuntimeError(f"{command[0]} failed in {folder}:\n{process.stdout}")

    def _main(self) -> str:
        reads = "\n".join(
            f"        block.{_member(name)} = in[{place}];"
            for place, name in enumerate(self._inputs)
        )
        writes = "\n".join(
            f"        out[{place}] = block.{_member(name)};"
            for place, name in enumerate(self._outputs)
        )
        return _MAIN.format(
            inputs=len(self._inputs), outputs=len(self._outputs), set=reads, get=writes
        )


def _member(name: str) -> str:
    """Name of a port in the class that Verilator makes, where it writes double underscores so."""
    return name.replace("__", "___05F")
