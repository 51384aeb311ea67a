"""Registers behind a bus, with a flip-flop after every step of an access."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from luna_soc.gateware.vendor.amaranth_soc import csr
from luna_soc.gateware.vendor.amaranth_soc.memory import MemoryMap

__all__ = ["Bridge"]

_GROUP = 8
"""Registers that share a shadow: so many words go through two levels of look-up tables."""


@dataclass(frozen=True)
class _Place:
    """A register and where it stands."""

    register: csr.Register
    start: int
    end: int

    @property
    def words(self) -> int:
        return self.end - self.start

    @property
    def element(self) -> csr.Element:
        return self.register.element


class Bridge(wiring.Component):
    """Carry out accesses to the registers of a memory map.

    Every address has a flip-flop that tells in the next cycle whether it is asked for. A read
    takes `LATENCY` cycles: that one; the strobe of the register comes from a flip-flop; with it the
    whole register is taken into the shadow of its group; then the word asked for is given, from a
    register. The upper words of a wide register are given from the shadow as it was taken with the
    lowest, so they must be read after it, before another register. A write is registered twice; a
    wide register is written with its highest word.

    Parameters
    ----------
    memory_map : MemoryMap
        Of registers only.

    Attributes
    ----------
    shadows : list of list of Signal
        By group of registers, the words that were taken with the last read of a lowest one.

    Members
    -------
    bus : In(csr.Signature)
        Register bus, with the memory map.
    """

    LATENCY = 4
    """Clock cycles from the read strobe to the data."""

    def __init__(self, memory_map: MemoryMap) -> None:
        memory_map.freeze()
        super().__init__(
            {
                "bus": In(
                    csr.Signature(
                        addr_width=memory_map.addr_width, data_width=memory_map.data_width
                    )
                )
            }
        )
        self.bus.memory_map = memory_map
        self._places = [
            _Place(register, start, end) for register, _, (start, end) in memory_map.resources()
        ]
        readable = [place for place in self._places if place.element.access.readable()]
        self._groups = [readable[at : at + _GROUP] for at in range(0, len(readable), _GROUP)]
        self._asked = {
            address: Signal(name=f"asked_{address}")
            for place in self._places
            for address in range(place.start, place.end)
        }
        self._r_stb, self._w_stb = Signal(name="reads"), Signal(name="writes")
        self._w_data = Signal(memory_map.data_width, name="written")
        self.shadows = [
            [
                Signal(memory_map.data_width, name=f"shadow_{number}_{index}")
                for index in range(max(place.words for place in group))
            ]
            for number, group in enumerate(self._groups)
        ]

    def elaborate(self, platform):
        m = Module()
        for register, name, _ in self.bus.memory_map.resources():
            m.submodules["__".join(map(str, name))] = register
        m.d.sync += [
            *(asked.eq(self.bus.addr == address) for address, asked in self._asked.items()),
            self._r_stb.eq(self.bus.r_stb),
            self._w_stb.eq(self.bus.w_stb),
            self._w_data.eq(self.bus.w_data),
        ]
        self._write(m, [place for place in self._places if place.element.access.writable()])
        r_data = 0
        for number, group in enumerate(self._groups):
            for word in self._read(m, number, group):
                r_data |= word
        m.d.sync += self.bus.r_data.eq(r_data)
        return m

    def _at(self, addresses: Sequence[int]) -> Value:
        """Whether the bus asked for one of some addresses in the cycle before."""
        return Cat(self._asked[address] for address in addresses).any()

    def _write(self, m: Module, places: Sequence[_Place]) -> None:
        """Gather the words of a register, and strobe it with its highest."""
        width = self.bus.data_width
        last = Signal(width, name="write_last")
        m.d.sync += last.eq(self._w_data)
        for place in places:
            m.d.comb += place.element.w_data.word_select(place.words - 1, width).eq(last)
        for number in range(max((place.words - 1 for place in places), default=0)):
            having = [place for place in places if place.words - 1 > number]
            word = Signal(width, name=f"write_{number}")
            with m.If(self._w_stb & self._at([place.start + number for place in having])):
                m.d.sync += word.eq(self._w_data)
            for place in having:
                m.d.comb += place.element.w_data.word_select(number, width).eq(word)
        for place in places:
            m.d.sync += place.element.w_stb.eq(self._w_stb & self._at([place.end - 1]))

    def _read(self, m: Module, number: int, places: Sequence[_Place]) -> Iterator[Value]:
        """Take the register that is read into the group's shadow; gives the words to be ored."""
        width = self.bus.data_width
        take = Signal(name=f"take_{number}")
        m.d.sync += take.eq(self._r_stb & self._at([place.start for place in places]))
        for place in places:
            m.d.sync += place.element.r_stb.eq(self._r_stb & self._at([place.start]))
        for index, shadow in enumerate(self.shadows[number]):
            having = [place for place in places if place.words > index]
            asked, give = (Signal(name=f"{name}_{number}_{index}") for name in ("asked", "give"))
            m.d.sync += [
                asked.eq(self._r_stb & self._at([place.start + index for place in having])),
                give.eq(asked),
            ]
            taken = 0
            for place in having:
                r_data = place.element.r_data.word_select(index, width)
                taken |= Mux(place.element.r_stb, r_data, 0)
            with m.If(take):
                m.d.sync += shadow.eq(taken)
            yield Mux(give, shadow, 0)
