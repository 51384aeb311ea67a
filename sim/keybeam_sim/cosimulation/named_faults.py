"""Faults that ``keybeam cosim`` can put into its boards, link and detectors, by their names."""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from keybeam.protocol.records import Channel
from keybeam_sim.cosimulation.settings import (
    ALWAYS_PS,
    HostLinkSettings,
    LeadSettings,
    LinkFault,
    LinkFaultKind,
    RunSettings,
)

__all__ = ["NAMED_FAULTS", "NamedFault"]


@dataclass(frozen=True)
class NamedFault:
    """A fault.

    Attributes
    ----------
    what : str
        What is wrong, in a few words.
    add_to : callable
        Puts it into the settings of a run.
    """

    what: str
    add_to: Callable[[RunSettings], RunSettings]


def _in_link(kind: LinkFaultKind, **details: float) -> Callable[[RunSettings], RunSettings]:
    def add(run: RunSettings) -> RunSettings:
        fault = LinkFault(kind=kind, begin_ps=0, end_ps=ALWAYS_PS, **details)
        return replace(run, link=replace(run.link, faults=(*run.link.faults, fault)))

    return add


def _link(**changes: float) -> Callable[[RunSettings], RunSettings]:
    return lambda run: replace(run, link=replace(run.link, **changes))


def _leads(**changes: int | tuple[int, int]) -> Callable[[RunSettings], RunSettings]:
    def add(run: RunSettings) -> RunSettings:
        leads = replace(run.link.leads or LeadSettings(), **changes)
        return replace(run, link=replace(run.link, leads=leads))

    return add


def _host_link(**changes: float | bool) -> Callable[[RunSettings], RunSettings]:
    return lambda run: replace(run, host_link=HostLinkSettings(**changes))


NAMED_FAULTS = {
    "wrong-map": NamedFault(
        "the transmitter was built from another revision", _host_link(other_revision=True)
    ),
    "host-link": NamedFault(
        "one byte of 2000 between boards and host is changed", _host_link(byte_error_rate=5e-4)
    ),
    "clock": NamedFault("the receiver's clock is slow by 300 ppm", _link(clock_offset_ppm=300.0)),
    "random-bit": NamedFault(
        "lane 2 of the first random-number chip is stuck at 1",
        lambda run: replace(run, stuck_random_lane=2),
    ),
    "lane-dead": NamedFault("the lead of lane 3 shows nothing", _leads(dead_lane=3)),
    "lanes-swapped": NamedFault("the leads of lanes 1 and 4 are exchanged", _leads(swapped=(1, 4))),
    "downlink-dark": NamedFault("no light of the downlink arrives", _in_link("line cut")),
    "downlink-errors": NamedFault(
        "one bit of 10 000 of the downlink is inverted", _link(line_error_rate=1e-4)
    ),
    "detector-noisy": NamedFault(
        "detector V has 1 000 000 dark counts a second",
        _in_link("noisy detector", detector=Channel.V, rate_hz=1e6),
    ),
    "detector-dead": NamedFault(
        "detector D does not click", _in_link("dead detector", detector=Channel.D)
    ),
}
"""The faults by name."""
