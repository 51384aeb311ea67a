"""What the host lets the board send of its tag records."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from keybeam.protocol.link import (
    CREDIT_BITS,
    CREDIT_LEAST,
    RECORD_NUMBER_BITS,
    CreditAddress,
)
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

__all__ = ["CreditGate", "RecordCredit"]

_ADDRESS_WIDTH = 2


class CreditGate(wiring.Component):
    """Compares the credit that was granted with what was spent of it.

    Both count from reset on, modulo 2^32. A grant that does not lie ahead of the one before, by
    less than 2^31, changes nothing: it is old, or repeated.

    Attributes
    ----------
    offered : Signal
        The grant that is looked at.

    Members
    -------
    grant : In(32), written : In(1)
        What the host grants, and 1 in the cycle in which it does. Another grant within two cycles
        is not looked at.
    spent : In(32)
        Credit spent so far.
    granted : Out(32)
        Credit granted so far.
    allowed : Out(1)
        There is credit for a frame of any length. Two cycles behind `spent`.
    """

    grant: In(CREDIT_BITS)
    written: In(1)
    spent: In(CREDIT_BITS)
    granted: Out(CREDIT_BITS)
    allowed: Out(1)

    def __init__(self) -> None:
        self.offered = Signal(CREDIT_BITS)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        ahead, left = Signal(CREDIT_BITS), Signal(CREDIT_BITS)
        taken, compared = Signal(), Signal()
        m.d.sync += [
            taken.eq(self.written & ~taken & ~compared),
            compared.eq(taken),
            ahead.eq(self.offered - self.granted),
            left.eq(self.granted - self.spent),
            self.allowed.eq(left[exact_log2(CREDIT_LEAST) :].any()),
        ]
        with m.If(self.written & ~taken & ~compared):
            m.d.sync += self.offered.eq(self.grant)
        with m.If(compared & ~ahead[-1]):
            m.d.sync += self.granted.eq(self.offered)
        return m


class RecordCredit(wiring.Component):
    """The registers of the credit for tag records.

    Members
    -------
    bus : In(csr.Signature)
        Register bus; its registers are those of `keybeam.protocol.link.CreditAddress`.
    spent, number : In(32)
        Credit spent, and records sent.
    allowed : Out(1)
        There is credit for a frame of any length. Two cycles behind `spent`.
    """

    class Grant(csr.Register, access="w"):
        """Grants credit for tag records: all that was granted since reset, modulo 2^32.

        A TAGS frame costs its records and 2 more; none starts unless 32 are left. What does not lie
        ahead of the grant before, by less than 2^31, changes nothing.
        """

        value: csr.Field(csr.action.W, unsigned(CREDIT_BITS))

    class Granted(csr.Register, access="r"):
        """Credit granted for tag records since reset, modulo 2^32."""

        value: csr.Field(csr.action.R, unsigned(CREDIT_BITS))

    class Spent(csr.Register, access="r"):
        """Credit spent on TAGS frames since reset, modulo 2^32."""

        value: csr.Field(csr.action.R, unsigned(CREDIT_BITS))

    class Records(csr.Register, access="r"):
        """Records put into TAGS frames since reset, modulo 2^32."""

        value: csr.Field(csr.action.R, unsigned(RECORD_NUMBER_BITS))

    bus: In(csr.Signature(addr_width=_ADDRESS_WIDTH, data_width=CSR_DATA_WIDTH))
    spent: In(CREDIT_BITS)
    number: In(RECORD_NUMBER_BITS)
    allowed: Out(1)

    def __init__(self) -> None:
        super().__init__()
        builder = csr.Builder(addr_width=_ADDRESS_WIDTH, data_width=CSR_DATA_WIDTH)
        registers = {
            CreditAddress.GRANT: self.Grant(),
            CreditAddress.GRANTED: self.Granted(),
            CreditAddress.SPENT: self.Spent(),
            CreditAddress.RECORDS: self.Records(),
        }
        self._registers = {
            address: builder.add(address.name.lower(), register)
            for address, register in registers.items()
        }
        self._bridge = csr.Bridge(builder.as_memory_map())
        self.bus.memory_map = self._bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = self._bridge
        m.submodules.gate = gate = CreditGate()
        connect(m, flipped(self.bus), self._bridge.bus)
        grant = self._registers[CreditAddress.GRANT].f.value
        m.d.comb += [
            gate.grant.eq(grant.w_data),
            gate.written.eq(grant.w_stb),
            gate.spent.eq(self.spent),
            self.allowed.eq(gate.allowed),
        ]
        for address, value in (
            (CreditAddress.GRANTED, gate.granted),
            (CreditAddress.SPENT, self.spent),
            (CreditAddress.RECORDS, self.number),
        ):
            m.d.comb += self._registers[address].f.value.r_data.eq(value)
        return m
