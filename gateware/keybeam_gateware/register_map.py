"""The register map as data: what a host, and the documentation, know of a board's registers."""

import hashlib
import json
import re
from typing import Any

from keybeam.protocol.identity import ABI_VERSION, Role
from keybeam_gateware.soc import CSR_DATA_WIDTH, MemoryMap, csr

__all__ = ["map_hash", "register_map"]

_STORED = {
    csr.action.RW: "rw",
    csr.action.RW1C: "rw1c",
    csr.action.RW1S: "rw1s",
}
"""Actions with storage, and so with a reset value, and the access each gives."""


def _sentences(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def _descriptions(register: csr.Register, fields: list[str]) -> tuple[str, dict[str, str]]:
    """Take the description of a register and of its fields from the docstring of its class.

    A line ``field : meaning`` begins the description of a field, which goes on until the next
    such line; what comes before the first one describes the register.
    """
    begins = re.compile(rf"\s*({'|'.join(map(re.escape, fields))})\s*:\s+(.*)")
    head: list[str] = []
    current, of_fields = head, {}
    for line in (type(register).__doc__ or "").strip().splitlines():
        if match := begins.fullmatch(line):
            current = of_fields.setdefault(match[1], [])
            line = match[2]
        current.append(line)
    return _sentences(head), {name: _sentences(lines) for name, lines in of_fields.items()}


def _field(name: str, offset: int, action: csr.FieldAction, description: str) -> dict[str, Any]:
    stored = _STORED.get(type(action))
    return {
        "name": name,
        "offset": offset,
        "width": action.port.shape.width,
        "access": stored or action.port.access.value,
        "reset": action.init if stored else None,
        "description": description,
    }


def _register(name: str, address: int, register: csr.Register) -> dict[str, Any]:
    actions = {"_".join(map(str, path)) or "value": action for path, action in register}
    description, of_fields = _descriptions(register, list(actions))
    if not description:
        raise ValueError(f"register {name} has no description: give its class a docstring")
    fields, offset = [], 0
    for field, action in actions.items():
        if action.port.access.value != "nc":
            meaning = of_fields.get(field, description if len(actions) == 1 else "")
            if not meaning:
                raise ValueError(
                    f"field {field} of register {name} has no description: "
                    f"add a line `{field} : meaning` to the docstring"
                )
            fields.append(_field(field, offset, action, meaning))
        offset += action.port.shape.width
    return {
        "name": name,
        "address": address,
        "width": register.element.width,
        "access": register.element.access.value,
        "description": description,
        "fields": fields,
    }


def map_hash(content: dict[str, Any]) -> str:
    """First 32 bits of the SHA-256 of a register map, as eight hexadecimal digits.

    Parameters
    ----------
    content : dict
        The map; its own ``hash``, if it has one, does not count.
    """
    rest = {key: value for key, value in content.items() if key != "hash"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def register_map(memory_map: MemoryMap, role: Role) -> dict[str, Any]:
    """Describe every register of a board.

    Parameters
    ----------
    memory_map : MemoryMap
        Of the board's register bus.
    role : Role
        Which board it is.

    Returns
    -------
    dict
        ``role``, ``abi``, ``hash`` (see `map_hash`) and ``registers``: a list in the order of the
        addresses of ``name`` (window and register, joined by dots), ``address`` (in words of 32
        bits), ``width``, ``access``, ``description`` and ``fields``: ``name``, ``offset`` (of its
        lowest bit), ``width``, ``access``, ``reset`` (None where it has no storage of its own)
        and ``description``.

    Raises
    ------
    ValueError
        If a register or a field has no description.
    """
    assert memory_map.data_width == CSR_DATA_WIDTH
    registers = []
    for info in memory_map.all_resources():
        name = ".".join(str(part) for parts in info.path for part in parts)
        registers.append(_register(name, info.start, info.resource))
    registers.sort(key=lambda register: register["address"])
    content = {"role": role.name.lower(), "abi": ABI_VERSION, "registers": registers}
    return {"role": content["role"], "abi": ABI_VERSION, "hash": map_hash(content)} | content
