"""Which boards there are, and whether this program knows them."""

import msgspec

from keybeam.bringup.checks import Check, check
from keybeam.device import (
    DeviceError,
    FoundPort,
    Identity,
    load_register_map,
    read_identity,
)
from keybeam.protocol.identity import ABI_VERSION, Role

__all__ = ["Asked", "ask_ports", "judge_identity", "port_of"]


class Asked(msgspec.Struct, frozen=True):
    """What answers at a port.

    Attributes
    ----------
    port : FoundPort
        The port.
    identity : Identity or None
        What it said it is; None where it is no board.
    error : str
        Why not, if so.
    known_hash : str
        Hash of the register map that this program knows for such a board.
    """

    port: FoundPort
    identity: Identity | None = None
    error: str = ""
    known_hash: str = ""


def ask_ports(ports: list[FoundPort]) -> list[Asked]:
    """Ask at each port what is there."""
    return [_ask(port) for port in ports]


def _ask(port: FoundPort) -> Asked:
    try:
        with port.open() as transport:
            identity = read_identity(transport)
    except DeviceError as error:
        return Asked(port, error=str(error))
    return Asked(port, identity, known_hash=load_register_map(identity.role).hash)


def port_of(asked: list[Asked], role: Role) -> FoundPort | None:
    """Give the port of the one board with a role; None where there is none, or more than one."""
    ports = [each.port for each in asked if each.identity and each.identity.role == role]
    return ports[0] if len(ports) == 1 else None


def judge_identity(asked: list[Asked]) -> list[Check]:
    """Check that there is one board of each kind, and that this program knows both."""
    checks = [_present(asked, role) for role in Role]
    for each in asked:
        if each.identity is None:
            continue
        found = each.identity
        role = found.role.name.lower()
        checks.append(
            check(
                f"{role}: register map",
                found.map_hash == each.known_hash and found.abi == ABI_VERSION,
                f"map {found.map_hash}, link version {found.abi}, gateware {found.revision}",
                f"map {each.known_hash}, link version {ABI_VERSION}",
                "The board was built from another revision than this program: build it anew "
                "(`keybeam build`) and flash it, or install the program of its revision.",
            )
        )
    revisions = sorted({each.identity.revision for each in asked if each.identity})
    if len(asked) > 1 and revisions:
        checks.append(
            check(
                "gateware of both boards",
                len(revisions) == 1,
                " and ".join(revisions),
                "of one revision",
                "Build both bitstreams from one commit and flash both boards.",
            )
        )
    return checks


def _present(asked: list[Asked], role: Role) -> Check:
    mine = [each.port.path for each in asked if each.identity and each.identity.role == role]
    others = "; ".join(each.error for each in asked if each.error)
    return check(
        f"{role.name.lower()} answers",
        len(mine) == 1,
        " and ".join(mine) or others or "no board found",
        "one board",
        "Is it powered, configured (`keybeam flash`) and plugged in? `--port` says where it is, "
        "and with ?baud= at which bit rate."
        if not mine
        else "Say with --port which one.",
    )
