"""One end of a session as a process of its own, with a made-up board and small packets.

``session_process.py satellite|ground FOLDER PORT SILENCE_S PARTS SEED``: the ground station's
board gives PARTS of 40 parts of a pass, and then nothing more unless these were all. Prints
progress and the final statistics as JSON lines; ends as the `keybeam` command does.
"""

import asyncio
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
from session_ends import lookup, make_clicks, open_parts
from session_records import RecordedBoard, stream

from keybeam.errors import KeybeamError
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.session import GroundSession, SatelliteSession
from keybeam.session.click_source import ClickSource
from keybeam.session.running import run_ground, run_satellite
from keybeam.timing import PulseIndexer

PARTS = 40


class MadeUpTransmitter:
    """Looks symbols up; runs as it is told."""

    name = "made-up transmitter"

    def __init__(self):
        self.registers = {"pattern.status.not_key": 0}

    def read(self, name):
        return self.registers[name]

    def write(self, name, value):
        self.registers[name] = value

    def lookup(self, indices):
        assert self.registers["transmitter.control.run"]
        return lookup(indices)


class MadeUpReceiver(RecordedBoard):
    """Gives out a recorded stream once it is switched on."""

    def __init__(self, parts):
        super().__init__(parts)
        self.streams = False
        self._stopped = threading.Event()

    def start_stream(self):
        self.streams = True

    def stop_stream(self):
        self.streams = False
        self._stopped.set()

    def records(self, timeout):
        assert self.streams
        if not self._parts:
            # As a board does: wait for records that do not come, unless it is switched off.
            self._stopped.wait(timeout)
        return super().records(timeout)


def made_up_pass() -> list[np.ndarray]:
    """Parts of the records of a pass."""
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(5))
    frames = int(clicks["index"][-1]) // FRAME_SLOTS + 2
    records = stream(clicks["index"], clicks["channel"], frames=frames + 100, running=frames)
    return np.array_split(records, PARTS)


def tell(message):
    print(msgspec.json.encode(message).decode(), flush=True)


async def run(end: str, folder: Path, port: int, silence_s: float, parts: int, seed: int) -> None:
    opened = open_parts(folder, end, seed=seed)
    if end == "satellite":
        board = MadeUpTransmitter()
        result = await run_satellite(
            SatelliteSession(opened, board.lookup),
            board,
            ("127.0.0.1", port),
            frames=0,
            silence_s=silence_s,
            listening=lambda host, port: tell({"port": port}),
        )
    else:
        board = MadeUpReceiver(made_up_pass()[:parts])
        result = await run_ground(
            GroundSession(opened),
            board,
            ClickSource(board, PulseIndexer(), seed=seed),
            ("127.0.0.1", port),
            silence_s=silence_s,
            progress=tell,
        )
    tell(result)


if __name__ == "__main__":
    end, folder, *numbers = sys.argv[1:]
    port, silence_s, parts, seed = (int(number) for number in numbers)
    try:
        asyncio.run(run(end, Path(folder), port, silence_s, parts, seed))
    except KeybeamError as error:
        print(f"keybeam: {error}", file=sys.stderr)
        sys.exit(2)
