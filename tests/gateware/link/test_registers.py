import json
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth import unsigned
from amaranth.back import rtlil

from keybeam.device import load_register_map
from keybeam.device.register_table import register_document
from keybeam.protocol.identity import IdentityAddress, Role
from keybeam_gateware.register_map import map_hash, register_map
from keybeam_gateware.soc import csr

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """The maps as the gateware gives them now, by role."""
    folder = tmp_path_factory.mktemp("maps")
    command = [sys.executable, "-m", "keybeam_gateware.registers", str(folder)]
    subprocess.run(command, check=True, timeout=120)
    return {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}


def test_host_knows_the_registers_of_the_gateware(maps):
    # If not: python -m keybeam_gateware.registers
    folder = ROOT / "host" / "keybeam" / "device" / "maps"
    assert {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")} == maps


def test_documentation_describes_the_registers_of_the_gateware():
    # If not: keybeam registers --write-docs
    document = register_document([load_register_map(role) for role in Role])
    assert (ROOT / "docs" / "registers.md").read_text() == document


def test_identity_stands_where_every_host_looks_for_it(maps):
    for content in maps.values():
        found = {each["name"]: each["address"] for each in content["registers"]}
        for address in IdentityAddress:
            assert found[f"identity.{address.name.lower()}"] == address


class Example(csr.Register, access="rw"):
    """An example,
    in two lines.

    enable : Lets it run,
        and more.
    sticky : Something: happened.
    """

    def __init__(self):
        super().__init__(
            {
                "enable": csr.Field(csr.action.RW, 2, init=3),
                "reserved": csr.Field(csr.action.ResR0W0, 5),
                "sticky": csr.Field(csr.action.RW1C, 1),
            }
        )


class Silent(csr.Register, access="r"):
    """Fields without a word.

    one : Described.
    """

    one: csr.Field(csr.action.R, 1)
    two: csr.Field(csr.action.R, 1)


class Single(csr.Register, access="r"):
    """A number."""

    value: csr.Field(csr.action.R, unsigned(64))


def describe(*registers):
    builder = csr.Builder(addr_width=4, data_width=32)
    for number, register in enumerate(registers):
        builder.add(f"register_{number}", register)
    decoder = csr.Decoder(addr_width=5, data_width=32)
    bridge = csr.Bridge(builder.as_memory_map())
    decoder.add(bridge.bus, name="block", addr=0x10)
    # Amaranth warns of hardware that is described and never elaborated.
    for part in (bridge, decoder):
        rtlil.convert(part)
    return register_map(decoder.bus.memory_map, Role.RECEIVER)


def test_map_says_name_place_access_reset_and_meaning():
    content = describe(Example(), Single())
    assert content["role"] == "receiver"
    example, single = content["registers"]
    assert example == {
        "name": "block.register_0",
        "address": 0x10,
        "width": 8,
        "access": "rw",
        "description": "An example, in two lines.",
        "fields": [
            {
                "name": "enable",
                "offset": 0,
                "width": 2,
                "access": "rw",
                "reset": 3,
                "description": "Lets it run, and more.",
            },
            {
                "name": "sticky",
                "offset": 7,
                "width": 1,
                "access": "rw1c",
                "reset": 0,
                "description": "Something: happened.",
            },
        ],
    }
    assert (single["address"], single["width"]) == (0x12, 64)
    assert single["fields"][0]["description"] == "A number."


def test_map_needs_a_description_of_every_field():
    with pytest.raises(ValueError, match=r"field two of register block\.register_0"):
        describe(Silent())


def test_hash_depends_on_the_map_but_not_on_itself(maps):
    content = maps["receiver"]
    assert map_hash(content) == content["hash"]
    assert map_hash(content | {"hash": "00000000"}) == content["hash"]
    assert map_hash(dict(reversed(content.items()))) == content["hash"]
    assert map_hash(content | {"abi": content["abi"] + 1}) != content["hash"]
    # The first 32 bits of SHA-256 of the text `{"registers":[]}`, from sha256sum.
    assert map_hash({"registers": [], "hash": ""}) == "5b8953b2"
