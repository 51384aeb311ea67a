"""Runs inside the simulator: two clocks, the link model, and a pseudo-terminal for each board.

What it shall do stands in the file that the environment variable
`SETTINGS_VARIABLE` names. Standard input is one end of a socket pair whose
other end the starting process holds: `ReadyMessage` is written to it, and its
end, or anything written to it, ends the run.
"""

import json
import os
import socket
from pathlib import Path

import cocotb
import msgspec
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import Timer, ValueChange

from keybeam.device import SimulatedClock
from keybeam.protocol.numbers import FABRIC_PERIOD_PS, FRAME_CYCLES
from keybeam.randomness import GROUP_BITS, WORD_BITS
from keybeam_sim.cosimulation.blocks import (
    BLOCK_CYCLES,
    RANDOM_BLOCK_WORDS,
    UART_SHIFT,
    block_from_integer,
    integer_from_block,
)
from keybeam_sim.cosimulation.host_link import HostLink
from keybeam_sim.cosimulation.link_model import (
    TRANSMITTER_PERIOD_FS,
    LinkModel,
    receiver_period_fs,
)
from keybeam_sim.cosimulation.serial_bits import UartReader, UartWriter
from keybeam_sim.cosimulation.settings import SETTINGS_VARIABLE, RunSettings
from keybeam_sim.cosimulation.terminal import Terminal
from keybeam_sim.cosimulation.truth import TruthRecorder
from keybeam_sim.source import SymbolSource

__all__ = ["Bench", "cosimulation"]

_POLL_BLOCKS = 2
"""Blocks between two looks at a terminal that is quiet."""
_QUEUE_BITS = 4096


class Port:
    """The bridge between the UART pins of a board and its pseudo-terminal.

    Parameters
    ----------
    terminal : Terminal
        Where the host opens the board.
    divisor : int
        Cycles of a bit.
    cable : HostLink
        What happens to the bytes on their way.
    """

    def __init__(self, terminal: Terminal, divisor: int, cable: HostLink) -> None:
        self._terminal, self._cable = terminal, cable
        self._reader, self._writer = UartReader(divisor), UartWriter(divisor)
        self._blocks = 0

    def exchange(self, sent: np.ndarray) -> np.ndarray:
        """Hand over the levels the board sent and return those it is to see next."""
        self._blocks += 1
        data = self._reader.feed(sent)
        look = self._blocks % _POLL_BLOCKS == 0
        if data or look:
            self._terminal.write(self._cable.to_host(data))
        if self._writer.waiting < _QUEUE_BITS and look:
            self._writer.send(self._cable.to_board(self._terminal.read(256)))
        return self._writer.take(BLOCK_CYCLES)


class Bench:
    """The co-simulation.

    Parameters
    ----------
    dut : cocotb handle
        The wrapper of `keybeam_sim.cosimulation.blocks`.
    settings : RunSettings
        What to run.
    """

    def __init__(self, dut, settings: RunSettings) -> None:
        self._dut, self._settings = dut, settings
        self._truth = TruthRecorder() if settings.truth is not None else None
        # What the receiver is given at the tick of a block is played in the next one.
        self._link = LinkModel(settings.link, first_cycle=BLOCK_CYCLES, truth=self._truth)
        self._source = SymbolSource(settings.link.seed)
        self._random_words = 0
        self._clock = None if settings.clock is None else SimulatedClock(Path(settings.clock))
        self._control = socket.socket(fileno=os.dup(0))
        self._control.setblocking(False)
        cycles = None if settings.frames is None else settings.frames * FRAME_CYCLES
        self._last_block = None if cycles is None else -(-cycles // BLOCK_CYCLES)

    async def run(self) -> None:
        """Simulate until the frames are over or the starting process ends it."""
        dut, divisor = self._dut, self._settings.boards.uart_divisor
        self._load_random()
        dut.transmitter_uart.value = (1 << BLOCK_CYCLES) - 1
        dut.receiver_block.value = integer_from_block(_idle_block())
        dut.receiver_places.value = 0
        dut.transmitter_clk.value = dut.receiver_clk.value = 0
        # Past the initial blocks, so that every change of a tick is one of a clock.
        await Timer(1, "ns")
        periods = TRANSMITTER_PERIOD_FS, receiver_period_fs(self._settings.link)
        for clock, period in zip((dut.transmitter_clk, dut.receiver_clk), periods, strict=True):
            Clock(clock, period, unit="fs", impl="gpi").start()
        with Terminal() as transmitter, Terminal() as receiver:
            tasks = [
                cocotb.start_soon(self._transmit(Port(transmitter, divisor, self._cable(True)))),
                cocotb.start_soon(self._receive(Port(receiver, divisor, self._cable(False)))),
            ]
            ready = {"transmitter": transmitter.path, "receiver": receiver.path}
            self._control.sendall(json.dumps(ready).encode() + b"\n")
            await tasks[0]
            tasks[1].cancel()
        if self._truth is not None:
            self._truth.finish().save(Path(self._settings.truth))

    def _cable(self, transmitter: bool) -> HostLink:
        settings, seed = self._settings.host_link, self._settings.link.seed
        other = transmitter and settings.other_revision
        return HostLink(settings, 2 * seed + transmitter, other_revision=other)

    async def _transmit(self, port: Port) -> None:
        """Serve the transmitter's blocks; returns at the end of the run."""
        dut = self._dut
        block = 0
        while block != self._last_block and not self._ended(block):
            await ValueChange(dut.transmitter_tick)
            words = block_from_integer(int(dut.transmitter_block.value))
            if block:
                self._link.transmit(words, int(dut.fine_delays.value))
            if self._clock is not None:
                self._clock.show(block * BLOCK_CYCLES * FABRIC_PERIOD_PS)
            self._load_random()
            levels = port.exchange((words >> UART_SHIFT & 1).astype(np.uint8))
            dut.transmitter_uart.value = int.from_bytes(
                np.packbits(levels, bitorder="little").tobytes(), "little"
            )
            block += 1

    async def _receive(self, port: Port) -> None:
        """Serve the receiver's blocks for ever."""
        dut = self._dut
        while True:
            await ValueChange(dut.receiver_tick)
            sent = int(dut.receiver_uart.value).to_bytes(BLOCK_CYCLES // 8, "little")
            levels = port.exchange(np.unpackbits(np.frombuffer(sent, np.uint8), bitorder="little"))
            places = self._link.places(BLOCK_CYCLES) if self._settings.boards.lines else None
            words = self._link.receive(BLOCK_CYCLES, places)
            words |= levels.astype(np.uint32) << UART_SHIFT
            dut.receiver_block.value = integer_from_block(words)
            if places is not None:
                dut.receiver_places.value = int.from_bytes(places.words.tobytes(), "little")

    def _load_random(self) -> None:
        numbers = np.arange(RANDOM_BLOCK_WORDS, dtype=np.uint64) + np.uint64(self._random_words)
        words = self._source.words(numbers)
        self._random_words += RANDOM_BLOCK_WORDS
        if self._settings.stuck_random_lane is not None:
            words = words | _lane_mask(self._settings.stuck_random_lane)
        self._dut.random_block.value = integer_from_block(words)

    def _ended(self, block: int) -> bool:
        if block % _POLL_BLOCKS:
            return False
        try:
            self._control.recv(1)
        except BlockingIOError:
            return False
        return True


def _lane_mask(lane: int) -> np.uint64:
    """Bits of a lane of the first chip in a random word, which is of two cycles of both chips."""
    bits = ((1 << GROUP_BITS) - 1) << GROUP_BITS * lane
    return np.uint64(bits | bits << 2 * WORD_BITS)


def _idle_block() -> np.ndarray:
    return np.full(BLOCK_CYCLES, 1 << UART_SHIFT, np.uint32)


@cocotb.test()
async def cosimulation(dut) -> None:
    """Run what the settings say."""
    data = Path(os.environ[SETTINGS_VARIABLE]).read_bytes()
    await Bench(dut, msgspec.json.decode(data, type=RunSettings)).run()
