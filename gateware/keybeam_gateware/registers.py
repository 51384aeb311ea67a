"""Writes the register maps of both boards into the host package.

Run it as ``python -m keybeam_gateware.registers`` after any change of a register. Another folder
to write them into can be given behind it.
"""

import json
import sys
from pathlib import Path

import keybeam.device
from keybeam_gateware.tops import Receiver, Transmitter

__all__ = ["MAPS_FOLDER", "write_maps"]

MAPS_FOLDER = Path(keybeam.device.__file__).parent / "maps"
"""Where the host keeps the register maps."""


def write_maps(folder: Path) -> list[Path]:
    """Write the register maps of both boards.

    Parameters
    ----------
    folder : Path
        Where ``transmitter.json`` and ``receiver.json`` go.

    Returns
    -------
    list of Path
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for top in (Transmitter(), Receiver()):
        path = folder / f"{top.register_map['role']}.json"
        path.write_text(json.dumps(top.register_map, indent=1) + "\n")
        files.append(path)
    return files


if __name__ == "__main__":
    for path in write_maps(Path(sys.argv[1]) if len(sys.argv) > 1 else MAPS_FOLDER):
        print(path)
