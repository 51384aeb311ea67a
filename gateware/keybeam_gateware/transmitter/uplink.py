"""The receiving end of the uplink, with its registers."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam.protocol.records import COARSE_BITS
from keybeam_gateware.counters import SnapshotCounter
from keybeam_gateware.line import LineReceiver, SyncState
from keybeam_gateware.line import registers as line_registers
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

__all__ = ["Uplink"]

_ADDRESS_BITS = 5


class Status(csr.Register, access="r"):
    """What the receiving end of the uplink does now.

    signal : Edges are seen on the line.
    sync_state : 0 searching, 1 verifying, 2 locked.
    """

    signal: csr.Field(csr.action.R, 1)
    sync_state: csr.Field(csr.action.R, SyncState.as_shape().width)


class Snapshot(csr.Register, access="w"):
    """Copies all counters at the same moment to where they are read.

    take : Write 1 to copy.
    """

    take: csr.Field(csr.action.W, 1)


class Uplink(wiring.Component):
    """Receives the uplink's frames, which have the format of the downlink's.

    Members
    -------
    line : In(4)
        Samples of the uplink in this cycle, earliest lowest.
    message : Out(stream.Signature(unsigned(8)))
        Payload of the frames whose check sum held.
    bus : In(csr.Signature)
        Registers: settings of `keybeam_gateware.line.registers`, state and counters.
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self._line = builder.add("line", line_registers.Line())
        self._sync = builder.add("sync", line_registers.Sync())
        self._sync_word = builder.add("sync_word", line_registers.SyncWord())
        self._status = builder.add("status", Status())
        self._snapshot = builder.add("snapshot", Snapshot())
        self._counts = {
            name: builder.add(name, line_registers.counter_register(meaning, 32))
            for name, meaning in line_registers.LINE_COUNTERS.items()
        }
        self._bridge = csr.Bridge(builder.as_memory_map())
        super().__init__(
            {
                "line": In(SLOTS_PER_CYCLE),
                "message": Out(stream.Signature(unsigned(8))),
                "bus": In(csr.Signature(addr_width=_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)),
            }
        )
        self.bus.memory_map = self._bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = self._bridge
        connect(m, flipped(self.bus), self._bridge.bus)
        m.submodules.line = line = LineReceiver()
        cycle = Signal(COARSE_BITS)
        m.d.sync += cycle.eq(cycle + 1)
        m.d.comb += [
            line.line.eq(self.line),
            line.cycle.eq(cycle),
            # The register lies with the bus, and the line receiver somewhere else.
            line.hysteresis.eq(delayed(m, self._line.f.hysteresis.data, 1)),
            line.word.eq(self._sync_word.f.word.data),
            *(getattr(line, name).eq(field.data) for (name,), field in self._sync),
            self._status.f.signal.r_data.eq(line.signal),
            self._status.f.sync_state.r_data.eq(line.state.as_value()),
        ]
        connect(m, line.message, flipped(self.message))
        take = self._snapshot.f.take
        for name, event in line.counted().items():
            register = self._counts[name]
            m.submodules[name] = counter = SnapshotCounter(len(register.f.count.r_data))
            m.d.comb += [
                counter.increment.eq(event),
                counter.snapshot.eq(take.w_stb & take.w_data),
                register.f.count.r_data.eq(counter.value),
            ]
        return m
