"""A board for the tests of the link: real link and registers, streams in loops."""

from amaranth import Const, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.identity import Role
from keybeam.protocol.link import CreditAddress
from keybeam_gateware.identity import Identity
from keybeam_gateware.link import Link, LinkCounters, RecordCredit
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

DIVISOR = 5
FLUSH_CYCLES = 2000
PAYLOAD_BYTES = 300
ADDRESSES = {"identity": 0x00, "link": 0x08, "credit": CreditAddress.GRANT, "bank": 0x18}
FIRST_RECORD = 0x1122334455667788
RECORD_STEP = 0x0101010101010101


class Bank(wiring.Component):
    """Registers with something to see in each.

    Members
    -------
    bus : In(csr.Signature(addr_width=3, data_width=32))
        Register bus.
    burst : Out(32), start : Out(1)
        Number of records to make, and 1 for a cycle to begin.
    hold : Out(1)
        Keep the payload in its buffer.
    """

    class Bumps(csr.Register, access="rw"):
        """Writing counts up by the value; reading gives the count."""

        value: csr.Field(csr.action.W, unsigned(16))
        count: csr.Field(csr.action.R, unsigned(16))

    class Wide(csr.Register, access="r"):
        """Counts clock cycles in its upper and lower half alike."""

        value: csr.Field(csr.action.R, unsigned(64))

    class Burst(csr.Register, access="w"):
        """Makes records."""

        count: csr.Field(csr.action.W, unsigned(32))

    class Hold(csr.Register, access="rw"):
        """Holds the payload back."""

        value: csr.Field(csr.action.RW, 1)

    bus: In(csr.Signature(addr_width=3, data_width=CSR_DATA_WIDTH))
    burst: Out(32)
    start: Out(1)
    hold: Out(1)

    def __init__(self):
        super().__init__()
        builder = csr.Builder(addr_width=3, data_width=CSR_DATA_WIDTH)
        self._bumps = builder.add("bumps", self.Bumps())
        self._burst = builder.add("burst", self.Burst())
        self._wide = builder.add("wide", self.Wide())
        self._hold = builder.add("hold", self.Hold())
        self._bridge = csr.Bridge(builder.as_memory_map())
        self.bus.memory_map = self._bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = self._bridge
        connect(m, flipped(self.bus), self._bridge.bus)
        bumps, cycles = self._bumps.f, Signal(32)
        with m.If(bumps.value.w_stb):
            m.d.sync += bumps.count.r_data.eq(bumps.count.r_data + bumps.value.w_data)
        m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += [
            self._wide.f.value.r_data.eq(cycles.replicate(2)),
            self.burst.eq(self._burst.f.count.w_data),
            self.start.eq(self._burst.f.count.w_stb),
            self.hold.eq(self._hold.f.value.data),
        ]
        return m


class LoopedBoard(wiring.Component):
    """Answers look-ups from the index, sends payload back as messages, makes records on demand.

    Members
    -------
    uart_rx : In(1), uart_tx : Out(1)
        Serial line.
    """

    uart_rx: In(1, init=1)
    uart_tx: Out(1, init=1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.identity = identity = Identity(role=Role.RECEIVER, revision=0xC0FFEE)
        m.submodules.counters = counters = LinkCounters()
        m.submodules.credit = credit = RecordCredit()
        m.submodules.bank = bank = Bank()
        m.submodules.decoder = decoder = csr.Decoder(addr_width=6, data_width=CSR_DATA_WIDTH)
        parts = {"identity": identity, "link": counters, "credit": credit, "bank": bank}
        for name, part in parts.items():
            decoder.add(part.bus, name=name, addr=ADDRESSES[name])
        m.submodules.link = link = Link(
            memory_map=decoder.bus.memory_map,
            uart_divisor=DIVISOR,
            transmitter_streams=True,
            receiver_streams=True,
            flush_cycles=FLUSH_CYCLES,
        )
        connect(m, link.bus, decoder.bus)
        m.d.comb += [link.uart_rx.eq(self.uart_rx), self.uart_tx.eq(link.uart_tx)]
        for event in ("accepted", "dropped", "spoilt", "lost"):
            m.d.comb += getattr(counters, event).eq(getattr(link, event))
        m.d.comb += [
            credit.spent.eq(link.spent),
            credit.number.eq(link.number),
            link.allowed.eq(credit.allowed),
        ]
        self._lookups(m, link)
        self._payload(m, link, bank)
        self._records(m, link, bank)
        return m

    def _lookups(self, m, link):
        """Answer with the exclusive-or of the index's bytes, some cycles later."""
        index, delay = Signal(64), Signal(4)
        m.d.comb += [link.lookup.ready.eq(delay == 0), link.symbol.valid.eq(delay == 1)]
        folded = Const(0, 8)
        for place in range(8):
            folded = folded ^ index.word_select(place, 8)
        m.d.comb += link.symbol.payload.eq(folded)
        with m.If(link.lookup.valid & link.lookup.ready):
            m.d.sync += [index.eq(link.lookup.payload), delay.eq(9)]
        with m.Elif((delay > 1) | (link.symbol.ready & (delay == 1))):
            m.d.sync += delay.eq(delay - 1)

    def _payload(self, m, link, bank):
        m.submodules.loop = loop = SyncFIFOBuffered(width=8, depth=PAYLOAD_BYTES)
        connect(m, link.payload, loop.w_stream)
        m.d.comb += [
            link.message.payload.eq(loop.r_data),
            link.message.valid.eq(loop.r_rdy & ~bank.hold),
            loop.r_en.eq(link.message.ready & ~bank.hold),
        ]
        m.d.sync += link.payload_free.eq(PAYLOAD_BYTES - loop.level)

    def _records(self, m, link, bank):
        left, record = Signal(32), Signal(64, init=FIRST_RECORD)
        m.d.comb += [link.records.valid.eq(left != 0), link.records.payload.eq(record)]
        with m.If(bank.start):
            m.d.sync += left.eq(bank.burst)
        with m.Elif(link.records.valid & link.records.ready):
            m.d.sync += [left.eq(left - 1), record.eq(record + RECORD_STEP)]
