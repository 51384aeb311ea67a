"""The identity block: which board this is and which registers it has."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from keybeam.protocol.identity import ABI_VERSION, IDENTITY_MAGIC, IdentityAddress, Role
from keybeam_gateware.primitives.fixed_word import FixedWord
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

__all__ = ["Identity"]

_ADDRESS_WIDTH = 3


class _Constant(csr.Register, access="r"):
    """A number that the build fixes."""

    value: csr.Field(csr.action.R, unsigned(32))


class Identity(wiring.Component):
    """Registers that tell a host what it talks to.

    Parameters
    ----------
    role : Role
        Which terminal this is.
    revision : int
        First 32 bits of the git revision of the gateware, 0 if unknown.

    Attributes
    ----------
    map_hash : int
        First 32 bits of the SHA-256 of the whole register map. Set it before elaboration: it is
        known only when every peripheral has its address.

    Members
    -------
    bus : In(csr.Signature)
        Register bus.
    """

    class Magic(_Constant, access="r"):
        """Always 0x314D424B, the letters KBM1: a Keybeam board answers."""

    class Abi(_Constant, access="r"):
        """Version of the link frames, of this block and of the tag records."""

    class BoardRole(_Constant, access="r"):
        """Which terminal the board is: 1 transmitter, 2 receiver."""

    class MapHash(_Constant, access="r"):
        """First 32 bits of the SHA-256 of the register map."""

    class Revision(_Constant, access="r"):
        """First 32 bits of the git revision of the gateware; 0 if unknown."""

    class Scratch(csr.Register, access="rw"):
        """Holds whatever is written to it; changes nothing else."""

        value: csr.Field(csr.action.RW, unsigned(32))

    def __init__(self, *, role: Role, revision: int):
        self.map_hash = 0
        self._role, self._revision = role, revision
        builder = csr.Builder(addr_width=_ADDRESS_WIDTH, data_width=CSR_DATA_WIDTH)
        self._registers = {
            address: builder.add(
                address.name.lower(), register(), offset=address * CSR_DATA_WIDTH // 8
            )
            for address, register in (
                (IdentityAddress.MAGIC, self.Magic),
                (IdentityAddress.ABI, self.Abi),
                (IdentityAddress.ROLE, self.BoardRole),
                (IdentityAddress.MAP_HASH, self.MapHash),
                (IdentityAddress.REVISION, self.Revision),
                (IdentityAddress.SCRATCH, self.Scratch),
            )
        }
        self._bridge = csr.Bridge(builder.as_memory_map())
        super().__init__(
            {"bus": In(csr.Signature(addr_width=_ADDRESS_WIDTH, data_width=CSR_DATA_WIDTH))}
        )
        self.bus.memory_map = self._bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = self._bridge
        connect(m, flipped(self.bus), self._bridge.bus)
        for address, value in (
            (IdentityAddress.MAGIC, IDENTITY_MAGIC),
            (IdentityAddress.ABI, ABI_VERSION),
            (IdentityAddress.ROLE, self._role),
        ):
            m.d.comb += self._registers[address].f.value.r_data.eq(int(value))
        # Two builds that differ in nothing but these are placed alike, and as fast as each other.
        for address, name, value in (
            (IdentityAddress.MAP_HASH, "map_hash", self.map_hash),
            (IdentityAddress.REVISION, "revision", self._revision),
        ):
            m.submodules[name] = word = FixedWord(32, value)
            m.d.comb += self._registers[address].f.value.r_data.eq(word.word)
        return m
