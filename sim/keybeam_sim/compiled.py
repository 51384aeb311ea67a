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
from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
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


class _NumberedPorts(wiring.Component):
    """A component whose ports are called in0, in1 ..., out0, out1 ..., names that C++ allows.

    Attributes
    ----------
    found : dict of str to Value
        The component's ports by their names.
    inputs, outputs : list of str
        Those names, in the order of the numbers.
    """

    def __init__(self, component: wiring.Component) -> None:
        self._component = component
        self.found: dict[str, Value] = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        members: dict[str, wiring.Member] = {}
        for path, member, port in component.signature.flatten(component):
            name, value = "__".join(map(str, path)), Value.cast(port)
            self.found[name] = value
            if member.flow == In:
                members[f"in{len(self.inputs)}"] = In(len(value))
                self.inputs.append(name)
            else:
                members[f"out{len(self.outputs)}"] = Out(len(value))
                self.outputs.append(name)
        super().__init__(members)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.component = self._component
        m.d.comb += [
            self.found[name].eq(getattr(self, f"in{n}")) for n, name in enumerate(self.inputs)
        ]
        m.d.comb += [
            getattr(self, f"out{n}").eq(self.found[name]) for n, name in enumerate(self.outputs)
        ]
        return m


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
        ports = _NumberedPorts(component)
        emitted = emit_verilog(ports, _TOP, cache_folder("compiled") / f"{os.getpid()}.v")
        source = emitted.read_text()
        emitted.unlink()
        wide = [name for name, value in ports.found.items() if len(value) > 64]
        if wide:
            raise ValueError(f"port {wide[0]} has {len(ports.found[wide[0]])} bits, at most 64 fit")
        self._inputs, self._outputs = ports.inputs, ports.outputs
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
        reads = [f"        block.in{n} = in[{n}];" for n in range(len(self._inputs))]
        writes = [f"        out[{n}] = block.out{n};" for n in range(len(self._outputs))]
        return _MAIN.format(
            inputs=len(self._inputs),
            outputs=len(self._outputs),
            set="\n".join(reads),
            get="\n".join(writes),
        )
