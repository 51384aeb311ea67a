"""What each end tells of a session once it is over.

`GroundStatistics` and `SatelliteStatistics` are the content of the files that
``keybeam ground --statistics`` and ``keybeam satellite --json`` write. Times in
the pass are pulse index × 1.6 ns, so they count from the first pulse of frame 0
on the satellite's clock. Nothing here says anything about a key but its hash.
"""

from pathlib import Path

import msgspec

from keybeam.whole_files import write_json

__all__ = [
    "BlockStatistics",
    "ClickRates",
    "DroppedClicks",
    "GroundStatistics",
    "GroundTotals",
    "LinkStatistics",
    "PacketStatistics",
    "SatelliteStatistics",
    "write_statistics",
]


class PacketStatistics(msgspec.Struct, frozen=True):
    """One packet.

    Attributes
    ----------
    index : int
        Counts from 0.
    time_s : float
        Time in the pass of its last bit, in s.
    good : bool
        Corrected and verified. A packet that is not is dropped by both ends.
    qber : float or None
        Exact error rate, 0 to 1; None where the packet was dropped.
    sampled_qber : float
        Error rate of the sampled clicks, 0 to 1.
    sampled : int
        Sampled signal clicks with matching basis within the packet.
    code : int
        Identifier of the code.
    leak_bits : int
        Bits disclosed: syndrome, bits told beside it, and verification tag.
    efficiency : float or None
        `leak_bits` over the Shannon limit n·H(qber); None without errors, or where the packet
        was dropped.
    """

    index: int
    time_s: float
    good: bool
    qber: float | None
    sampled_qber: float
    sampled: int
    code: int
    leak_bits: int
    efficiency: float | None


class BlockStatistics(msgspec.Struct, frozen=True):
    """One privacy-amplification block.

    Attributes
    ----------
    index : int
        Counts from 0.
    time_s : float
        Time in the pass of its last bit, in s.
    packets : list of int
        Its packets.
    signal, decoy, vacuum, decoy_errors : int
        Counts S_μ, S_ν, S_o, T_ν of the clicks with matching basis that were not sampled.
    qber : float
        Exact error rate of the signal bits, 0 to 1.
    leak_bits : int
        Bits disclosed: syndromes, bits told beside them, and verification tags.
    s1, e1 : float
        Bounds on the single-photon clicks and on their phase error rate.
    length_bits : int
        Secret bits that both ends hold; 0 where the counts give none, or the block was
        abandoned.
    abandoned : str
        Why the block was given up; empty where it was not.
    """

    index: int
    time_s: float
    packets: list[int]
    signal: int
    decoy: int
    vacuum: int
    decoy_errors: int
    qber: float
    leak_bits: int
    s1: float
    e1: float
    length_bits: int
    abandoned: str


class DroppedClicks(msgspec.Struct, frozen=True):
    """Gated clicks that the satellite could not sift.

    Attributes
    ----------
    too_old, too_new : int
        The state log no longer, or not yet, held their pulse.
    invalid : int
        Their pulse had been blanked for want of random bits.
    """

    too_old: int
    too_new: int
    invalid: int


class GroundTotals(msgspec.Struct, frozen=True):
    """Clicks and bits of the whole session.

    Attributes
    ----------
    detections : int
        Tags the board sent.
    clicks : int
        Those with a pulse index, in frames of the running pattern, before the gate.
    gated : int
        Those within the gate.
    unresolved : int
        Gated clicks that double clicks cost.
    lost_records : int
        Records known to be lost between detector and host.
    sifted_bits : int
        Signal bits with matching basis that were not sampled, the left-over ones included.
    leftover_bits : int
        Sifted bits that made no full packet.
    sampled_bits : int
        Signal bits with matching basis that were revealed to estimate the error rate.
    dropped : DroppedClicks
    """

    detections: int
    clicks: int
    gated: int
    unresolved: int
    lost_records: int
    sifted_bits: int
    leftover_bits: int
    sampled_bits: int
    dropped: DroppedClicks


class ClickRates(msgspec.Struct, frozen=True):
    """Clicks in every second of the pass; entry i counts those from i to i + 1 s.

    Attributes
    ----------
    clicks, gated : list of int
        Clicks with a pulse index, before and after the gate.
    """

    clicks: list[int]
    gated: list[int]


class LinkStatistics(msgspec.Struct, frozen=True):
    """How the classical channel did; differs from run to run.

    Attributes
    ----------
    repeated : int
        Requests that were sent again.
    ignored : int
        Messages that were malformed, or not to be expected.
    corrupted, missing : int
        Frames dropped for their check sum, and frames that never came.
    """

    repeated: int
    ignored: int
    corrupted: int
    missing: int


class GroundStatistics(msgspec.Struct, frozen=True):
    """What the ground station tells.

    Attributes
    ----------
    session : str
        Name of the session, hexadecimal.
    simulation : bool
        An end drew its random numbers from a seed: the keys are not secret.
    analysis : str
        Analysis of the key length.
    failure_probability : float
        ε_sec of each block by the composable analysis, ξ of each bound by the paper's.
    totals : GroundTotals
    rates : ClickRates
    packets : list of PacketStatistics
    blocks : list of BlockStatistics
    secret_key_bits : int
        Length of all keys stored in this session.
    authentication_bits : int
        Bits of pre-shared secret used up in this session, both directions together; the net
        gain of the session is `secret_key_bits` less these.
    key_sha256 : str
        SHA-256 of all keys of this session in order of the blocks, hexadecimal.
    link : LinkStatistics
    """

    session: str
    simulation: bool
    analysis: str
    failure_probability: float
    totals: GroundTotals
    rates: ClickRates
    packets: list[PacketStatistics]
    blocks: list[BlockStatistics]
    secret_key_bits: int
    authentication_bits: int
    key_sha256: str
    link: LinkStatistics


class SatelliteStatistics(msgspec.Struct, frozen=True):
    """What the satellite tells.

    Attributes
    ----------
    session : str
        Name of the session, hexadecimal.
    simulation : bool
        An end drew its random numbers from a seed: the keys are not secret.
    packets, dropped_packets : int
        Packets made, and those of them that the ground station could not correct.
    blocks, abandoned_blocks : int
        Blocks ordered, and those of them that were abandoned.
    unsettled_keys : int
        Keys in the store of which the ground station has not said that it holds them; they are
        not delivered before a later session has settled them.
    secret_key_bits : int
        Length of all keys of this session that both ends hold.
    authentication_bits : int
        Bits of pre-shared secret used up in this session, both directions together.
    key_sha256 : str
        SHA-256 of all keys of this session in order of the blocks, hexadecimal.
    link : LinkStatistics
    """

    session: str
    simulation: bool
    packets: int
    dropped_packets: int
    blocks: int
    abandoned_blocks: int
    unsettled_keys: int
    secret_key_bits: int
    authentication_bits: int
    key_sha256: str
    link: LinkStatistics


def write_statistics(path: Path, statistics: GroundStatistics | SatelliteStatistics) -> None:
    """Write a file of statistics as JSON; it appears complete or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    write_json(path, statistics)
