"""DDR3 behind the memory port of the state log."""

from collections.abc import Mapping
from dataclasses import replace

from amaranth import ClockDomain, DomainRenamer, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from keybeam_gateware.memory.bridge import LineBridge
from keybeam_gateware.memory.initialiser import Initialiser
from keybeam_gateware.memory.litedram import DramCore, DramDescription
from keybeam_gateware.transmitter.log.memory_port import MemoryPort

__all__ = ["Ddr3Memory"]


class Ddr3Memory(wiring.Component):
    """A LiteDRAM core, what starts it, and the crossing to the clock of the log.

    Has a clock domain ``dram`` of its own, which the core drives. Once the core's clocks run, the
    memory is started without anybody's help: about a millisecond until it passed its test.

    Parameters
    ----------
    lines : int
        Lines of the memory that are used, a power of two.
    description : DramDescription
        The core, whose line has to be the log's: `MemoryPort` with `DramDescription.words` words.
    pins : mapping of str to value
        Pins of the memory, as `DramCore` takes them.
    longest_wait : int, optional
        Cycles to which the waits of the start are cut, for simulation.
    long_lines : int
        Lines of the memory's test, a power of two.

    Members
    -------
    port : In(MemoryPort(lines, description.words))
        To the log, in ``sync``.
    reference : In(1)
        Reference clock of the core.
    reset : In(1)
        Starts everything anew; asynchronous.
    """

    def __init__(
        self,
        lines: int,
        description: DramDescription,
        pins: Mapping[str, object],
        *,
        longest_wait: int | None = None,
        long_lines: int = 1024,
    ) -> None:
        program = description.program
        if longest_wait is not None:
            program = [replace(write, wait=min(write.wait, longest_wait)) for write in program]
        self._core = DramCore(description, pins)
        self._initialiser = Initialiser(
            program,
            description.delays,
            address_bits=description.address_bits,
            words=description.words,
            lanes=description.settings.byte_lanes,
            long_lines=long_lines,
        )
        self._bridge = LineBridge(lines, description.words, description.address_bits)
        super().__init__(
            {
                "port": In(MemoryPort(lines, description.words)),
                "reference": In(1),
                "reset": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.dram = ClockDomain(local=True)
        m.submodules.core = core = self._core
        initialiser, bridge = self._initialiser, self._bridge
        m.submodules.initialiser = DomainRenamer("dram")(initialiser)
        m.submodules.bridge = bridge
        connect(m, flipped(self.port), bridge.port)
        connect(m, bridge.native, initialiser.user)
        connect(m, initialiser.native, core.native)
        connect(m, initialiser.bus, core.bus)
        m.d.comb += [
            core.reference.eq(self.reference),
            core.reset.eq(self.reset),
            bridge.initialised.eq(initialiser.initialised),
            bridge.passed.eq(initialiser.passed),
        ]
        return m
