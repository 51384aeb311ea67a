"""How many flip-flops the blocks of a transmitter have, whatever part they are for.

``python -m keybeam_boards.block_sizes`` prints a table. Flip-flops are a lower bound of what a part
needs: they are counted after Yosys has turned processes into cells and before any mapping, so no
choice of look-up tables changes them.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.lib import wiring

from keybeam_boards.toolchain import Progress, Step, run_step
from keybeam_gateware.tops import Transmitter

__all__ = ["BlockSize", "block_sizes", "flip_flops_by_block"]

_UART_DIVISOR = 8
"""Cycles of a bit of the serial line where the clock is slow, as on the small parts."""
_FILE, _COUNTS, _TOP = "design.il", "counts.json", "top"
_SCRIPT = f"""\
read_rtlil {_FILE}
hierarchy -top {_TOP}
proc
opt -fast
memory_dff
memory_collect
opt_clean
simplemap t:$dff t:$dffe t:$sdff t:$sdffe t:$sdffce t:$adff t:$adffe t:$aldff
tee -q -o {_COUNTS} stat -json
"""


@dataclass(frozen=True)
class BlockSize:
    """Flip-flops of a block."""

    block: str
    """Path of the block, as ``core.pattern``; empty for all of it."""
    flip_flops: int
    """With those of the blocks in it."""


def block_sizes(design: wiring.Component, progress: Progress) -> list[BlockSize]:
    """Count the flip-flops of a design by block.

    Parameters
    ----------
    design : Component
        The design.
    progress : callable
        Told of what begins and ends.

    Returns
    -------
    list of BlockSize
        All blocks, the largest first.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / _FILE).write_text(rtlil.convert(design, name=_TOP))
        (folder / "counts.ys").write_text(_SCRIPT)
        run_step(Step("counting flip-flops", "yosys", ("-q", "counts.ys")), folder, progress)
        counted = json.loads((folder / _COUNTS).read_text())["modules"]
    sizes = flip_flops_by_block(counted)
    return sorted(sizes, key=lambda one: (-one.flip_flops, one.block))


def flip_flops_by_block(modules: Mapping[str, Any]) -> list[BlockSize]:
    """Add up what Yosys counts of each module.

    Parameters
    ----------
    modules : mapping
        ``modules`` of what Yosys's ``stat -json`` writes.

    Returns
    -------
    list of BlockSize
        In the order of their paths.
    """
    cells = {
        name.removeprefix("\\"): {
            kind.removeprefix("\\"): number
            for kind, number in module.get("num_cells_by_type", {}).items()
        }
        for name, module in modules.items()
    }

    def total(name: str) -> int:
        return sum(
            number * total(kind) if kind in cells else number * ("DFF" in kind)
            for kind, number in cells[name].items()
        )

    # A number behind a dollar sign keeps blocks of equal names apart.
    return [
        BlockSize(re.sub(r"\$\d+", "", name.removeprefix(_TOP).lstrip(".")), total(name))
        for name in sorted(cells)
    ]


def _main() -> None:
    sizes = block_sizes(Transmitter(log_frames=1, uart_divisor=_UART_DIVISOR), print)
    print("\n| Block | Flip-flops |\n|---|---|")
    for one in sizes:
        # The terminal, what it consists of, and the blocks of its core.
        if not one.block or "." not in one.block.removeprefix("core."):
            print(f"| {f'`{one.block}`' if one.block else 'all'} | {one.flip_flops:,} |")


if __name__ == "__main__":
    _main()
