"""Register maps as text: a listing for the terminal, and the page of the documentation."""

from collections.abc import Mapping, Sequence

from keybeam.device.register_map import Field, Register, RegisterMap

__all__ = ["register_document", "register_listing"]

_HEAD = """\
# Registers

This page is generated from the gateware: `make docs` writes it again. It describes the registers of
both boards as `keybeam registers` lists them; the host reads and writes them by the names given
here, `block.register` or `block.register.field`.

Addresses count words of 32 bits. A register of more than 32 bits takes several words, the lowest
first. Reading the lowest word holds the whole register, and the words above it then give what was
held; writing takes effect with the highest word, so that words are written from the lowest up. The
host does this by itself.

Registers that show a number of events or a time in 48 or 64 bits do not run while they are read:
writing 1 to the block's `snapshot` takes all of them in the same cycle, so that they fit to one
another, and reading gives what was taken until the next snapshot.

Access: `r` read, `w` write, `rw` both; `rw1c` reads a sticky flag and clears it where a one is
written, `rw1s` sets it where a one is written. A dash in the column of the reset value: the field
shows something from outside the registers.

The hash of a map is the first 32 bits of the SHA-256 of the map itself. It stands in the board's
`identity.map_hash`, and the host refuses a board whose hash it does not know.
"""


def _place(field: Field) -> str:
    """Bits of a field, such as ``7:4``."""
    if field.width == 1:
        return f"{field.offset}"
    return f"{field.offset + field.width - 1}:{field.offset}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _field_row(field: Field) -> str:
    reset = (
        "–" if field.reset is None else f"{field.reset:#x}" if field.reset > 9 else f"{field.reset}"
    )
    return _row(f"`{field.name}`", _place(field), field.access, reset, field.description)


def _section(register: Register) -> str:
    lines = [
        f"### `{register.name}`",
        "",
        f"Address {register.address:#05x}, {register.width} bits. {register.description}",
        "",
        _row("field", "bits", "access", "reset", "meaning"),
        _row("---", "---", "---", "---", "---"),
        *map(_field_row, register.fields),
    ]
    return "\n".join(lines) + "\n"


def register_document(maps: Sequence[RegisterMap]) -> str:
    """Describe register maps in Markdown.

    Parameters
    ----------
    maps : sequence of RegisterMap
        One for each board.

    Returns
    -------
    str
        The page ``docs/registers.md``.
    """
    parts = [_HEAD]
    for each in maps:
        parts.append(f"## The {each.role}\n\nMap `{each.hash}`, link version {each.abi}.\n")
        parts += map(_section, each.registers)
    return "\n".join(parts)


def register_listing(each: RegisterMap, values: Mapping[str, int]) -> str:
    """List a register map for a terminal.

    Parameters
    ----------
    each : RegisterMap
        The map.
    values : mapping of str to int
        Content of registers by name; may be empty.

    Returns
    -------
    str
        Several lines.
    """
    lines = [f"{each.role} (register map {each.hash}, link version {each.abi})"]
    for register in each.registers:
        value = values.get(register.name)
        shown = "" if value is None else f" = {value:#x}"
        lines.append(f"  {register.address:#05x}  {register.name}{shown}  {register.description}")
        for field in register.fields:
            content = "" if value is None else f" = {field.extract(value):#x}"
            place = f"[{_place(field)}]"
            lines.append(
                f"         {place:>8} {field.access:<4} {field.name}{content}  {field.description}"
            )
    return "\n".join(lines)
