"""Verilog of which a simulator's user sees only the ports, so that Verilator can optimise."""

import re
from pathlib import Path

__all__ = ["show_only_ports"]


def show_only_ports(path: Path, top: str) -> None:
    """Mark the ports of the top module in a file as public.

    Parameters
    ----------
    path : Path
        Verilog, as Amaranth writes it.
    top : str
        Name of the top module.
    """
    rest, ports = path.read_text().split(f"module {top}(")
    public = re.sub(
        r"^  ((?:in|out)put [^;]*);", r"  \1 /* verilator public_flat_rw */;", ports, flags=re.M
    )
    path.write_text(f"{rest}module {top}({public}")
