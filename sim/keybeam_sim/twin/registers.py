"""Registers of a simulated board, from the register map the host knows."""

from collections.abc import Callable

from keybeam.device.register_map import Register, load_register_map
from keybeam.protocol.identity import ABI_VERSION, IDENTITY_MAGIC, IdentityAddress, Role
from keybeam.protocol.link import LinkError

__all__ = ["RegisterFile"]

_WORD_BITS = 32
_WORD_MASK = (1 << _WORD_BITS) - 1


class RegisterFile:
    """Stores what a register map says can be stored, and calls back for the rest.

    As on the boards, a register of several words is held when its lowest word is read, and
    written when its highest one is.

    Parameters
    ----------
    role : Role
        Which board.

    Attributes
    ----------
    on_read : dict of str to callable
        Called, without arguments, before the register of that name is read.
    on_write : dict of str to callable
        Called with the written value after the register of that name was written.
    """

    def __init__(self, role: Role) -> None:
        self._map = load_register_map(role)
        self.on_read: dict[str, Callable[[], None]] = {}
        self.on_write: dict[str, Callable[[int], None]] = {}
        self._words: dict[int, tuple[Register, int]] = {}
        self._values: dict[str, int] = {}
        self._held: dict[str, int] = {}
        for register in self._map.registers:
            self._values[register.name] = 0
            for field in register.fields:
                reset = field.insert(self._values[register.name], field.reset or 0)
                self._values[register.name] = reset
            for word in range(register.words):
                self._words[register.address + word] = (register, word)
        for address, value in {
            IdentityAddress.MAGIC: IDENTITY_MAGIC,
            IdentityAddress.ABI: ABI_VERSION,
            IdentityAddress.ROLE: int(role),
            IdentityAddress.MAP_HASH: int(self._map.hash, 16),
        }.items():
            self._values[self._words[address][0].name] = value

    def get(self, name: str) -> int:
        """Content of a register or field of this name."""
        register, field = self._map.find(name)
        value = self._values[register.name]
        return field.extract(value) if field else value

    def set(self, name: str, value: int) -> None:
        """Give a register or field a content, as the board's logic does."""
        register, field = self._map.find(name)
        before = self._values[register.name]
        self._values[register.name] = field.insert(before, value) if field else value

    def read(self, address: int) -> int | LinkError:
        """Word at an address, or why it cannot be read."""
        if address not in self._words:
            return LinkError.NO_REGISTER
        register, word = self._words[address]
        if word == 0:
            if register.name in self.on_read:
                self.on_read[register.name]()
            readable = sum(field.insert(0, -1) for field in register.fields if field.access != "w")
            self._held[register.name] = self._values[register.name] & readable
        return self._held.get(register.name, 0) >> (_WORD_BITS * word) & _WORD_MASK

    def write(self, address: int, value: int) -> LinkError | None:
        """Write a word; why it cannot be, or None."""
        if address not in self._words:
            return LinkError.NO_REGISTER
        register, word = self._words[address]
        if register.access == "r":
            return LinkError.READ_ONLY
        held = self._held.get(register.name, 0) if word else 0
        held = held & ~(_WORD_MASK << (_WORD_BITS * word)) | value << (_WORD_BITS * word)
        self._held[register.name] = held
        if word == register.words - 1:
            self._commit(register, held)
        return None

    def _commit(self, register: Register, written: int) -> None:
        value = self._values[register.name]
        for field in register.fields:
            new, old = field.extract(written), field.extract(value)
            stored = {"rw": new, "rw1c": old & ~new, "rw1s": old | new}
            value = field.insert(value, stored.get(field.access, old))
        self._values[register.name] = value
        if register.name in self.on_write:
            self.on_write[register.name](written)
