"""Register maps: which registers a board has, where, and what they mean.

The maps are JSON files that the gateware writes; see `RegisterMap`.
"""

from functools import cache
from pathlib import Path

import msgspec

from keybeam.device.errors import RegisterNameError
from keybeam.protocol.identity import Role

__all__ = ["Field", "Register", "RegisterMap", "load_register_map"]

_FOLDER = Path(__file__).parent / "maps"


class Field(msgspec.Struct, frozen=True):
    """A group of bits of a register with one meaning.

    Attributes
    ----------
    name : str
        Name within the register.
    offset, width : int
        Lowest bit, and number of bits.
    access : str
        ``r``, ``w``, ``rw``, ``rw1c`` (a written one clears) or ``rw1s`` (a written one sets).
    reset : int or None
        Content after a reset, where the field has storage of its own.
    description : str
        What it means.
    """

    name: str
    offset: int
    width: int
    access: str
    reset: int | None
    description: str

    def extract(self, value: int) -> int:
        """Take the field's content from a register's `value`."""
        return value >> self.offset & ((1 << self.width) - 1)

    def insert(self, value: int, content: int) -> int:
        """Set the field to `content` in a register's `value`."""
        mask = (1 << self.width) - 1
        return value & ~(mask << self.offset) | (content & mask) << self.offset


class Register(msgspec.Struct, frozen=True):
    """A register.

    Attributes
    ----------
    name : str
        Block and register, joined by a dot.
    address : int
        Of its lowest word, in words of 32 bits.
    width : int
        Bits; more than 32 take several words, the lowest first.
    access : str
        ``r``, ``w`` or ``rw``.
    description : str
        What it means.
    fields : tuple of Field
        In the order of their bits.
    """

    name: str
    address: int
    width: int
    access: str
    description: str
    fields: tuple[Field, ...]

    @property
    def words(self) -> int:
        """Number of 32-bit words."""
        return (self.width + 31) // 32


class RegisterMap(msgspec.Struct, frozen=True):
    """All registers of a board.

    Attributes
    ----------
    role : str
        ``transmitter`` or ``receiver``.
    abi : int
        Version of the link it was made for.
    hash : str
        First 32 bits of the SHA-256 of the rest, as eight hexadecimal digits.
    registers : tuple of Register
        In the order of their addresses.
    """

    role: str
    abi: int
    hash: str
    registers: tuple[Register, ...]

    def find(self, name: str) -> tuple[Register, Field | None]:
        """Find a register, or a field of a register, by its dotted name.

        Parameters
        ----------
        name : str
            ``block.register`` or ``block.register.field``.

        Raises
        ------
        RegisterNameError
            If there is none.
        """
        for register in self.registers:
            if name == register.name:
                return register, None
            if name.startswith(register.name + "."):
                for field in register.fields:
                    if name == f"{register.name}.{field.name}":
                        return register, field
        raise RegisterNameError(
            f"the {self.role} has no register {name!r}: `keybeam registers` lists them"
        )


@cache
def load_register_map(role: Role) -> RegisterMap:
    """Load the register map of a terminal that this program was made for.

    Parameters
    ----------
    role : Role
        Which terminal.
    """
    path = _FOLDER / f"{role.name.lower()}.json"
    return msgspec.json.decode(path.read_bytes(), type=RegisterMap)
