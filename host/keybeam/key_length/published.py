"""The passes of Table 1 of the paper, and their keys by the analyses of this package.

The table (arXiv:2408.10994) gives packets, mean error rate and key of each pass, not its counts.
They are rebuilt: a constant link, whose photons are wrong as often as the 25 dB contrast of
the source says, and whose background makes up the rest of the error rate.
"""

from dataclasses import dataclass

from keybeam.key_length.composable import Security, composable_key_length
from keybeam.key_length.counts import BlockCounts, SiftedCounts, reconciliation_leak
from keybeam.key_length.errors import NoKeyError
from keybeam.key_length.link import Link, expected_counts
from keybeam.key_length.paper import paper_key_length
from keybeam.key_length.source import Source
from keybeam.protocol.numbers import BLOCK_PACKETS, PACKET_BITS

__all__ = [
    "POLARISATION_ERROR",
    "PUBLISHED_PASSES",
    "PassKeys",
    "PublishedPass",
    "pass_keys",
    "rebuilt_counts",
]

POLARISATION_ERROR = 1 / (1 + 10**2.5)
"""Error rate of a polarisation contrast of 25 dB (the paper)."""


@dataclass(frozen=True)
class PublishedPass:
    """A row of Table 1.

    Attributes
    ----------
    date, station : str
        When and where.
    packets : int
        Sifted packets of 100 kbit.
    qber : float
        Mean error rate.
    key_bits : int
        Secret key.
    """

    date: str
    station: str
    packets: int
    qber: float
    key_bits: int


PUBLISHED_PASSES = (
    PublishedPass("2022-09-20", "Jinan", 17, 0.0099, 330_240),
    PublishedPass("2022-09-25", "Jinan", 20, 0.0101, 406_784),
    PublishedPass("2022-09-28", "Jinan", 31, 0.0099, 571_392),
    PublishedPass("2022-09-29", "Jinan", 20, 0.0086, 436_096),
    PublishedPass("2023-02-20", "Hefei", 18, 0.0137, 264_448),
    PublishedPass("2023-03-04", "Hefei", 18, 0.0148, 275_328),
    PublishedPass("2023-03-13", "Hefei", 16, 0.0134, 262_656),
    PublishedPass("2023-07-01", "Nanshan", 26, 0.0166, 392_320),
    PublishedPass("2023-07-11", "Nanshan", 27, 0.0117, 538_368),
    PublishedPass("2023-07-12", "Nanshan", 28, 0.0158, 397_952),
    PublishedPass("2023-07-15", "Nanshan", 23, 0.0133, 382_720),
    PublishedPass("2023-07-18", "Nanshan", 27, 0.0100, 578_048),
    PublishedPass("2023-07-19", "Nanshan", 16, 0.0116, 337_152),
    PublishedPass("2023-07-22", "Nanshan", 32, 0.0141, 519_552),
    PublishedPass("2023-07-25", "Nanshan", 20, 0.0092, 447_744),
    PublishedPass("2023-07-26", "Nanshan", 24, 0.0123, 398_208),
    PublishedPass("2023-08-31", "Wuhan", 37, 0.0155, 592_384),
    PublishedPass("2023-09-01", "Wuhan", 33, 0.0233, 321_536),
)
"""Table 1 of arXiv:2408.10994."""


@dataclass(frozen=True)
class PassKeys:
    """Secret key of a pass, in bits.

    Attributes
    ----------
    paper : int
        By the paper's analysis, in blocks of 500 kbit; what is left of packets makes no key.
    blocks : int
        By the composable analysis, in the same blocks.
    whole : int
        By the composable analysis, all packets in one block.
    """

    paper: int
    blocks: int
    whole: int


def rebuilt_counts(qber: float, packets: int) -> SiftedCounts:
    """Rebuild the counts of some packets with a given error rate, as this module's text says.

    Parameters
    ----------
    qber : float
        Error rate of the signal bits, from `POLARISATION_ERROR` to below 0.5.
    packets : int
        Packets of 100 kbit, 1 or more.
    """
    source = Source()
    link = Link.of_qber(qber, POLARISATION_ERROR, source.intensities[0])
    return expected_counts(source, link, packets * PACKET_BITS, packets)


def _composable(counts: SiftedCounts, leak: float, security: Security) -> int:
    try:
        return composable_key_length(counts, leak, security=security).length_bits
    except NoKeyError:
        return 0


def pass_keys(row: PublishedPass, efficiency: float, security: Security | None = None) -> PassKeys:
    """Compute the key of a pass from its rebuilt counts.

    Parameters
    ----------
    row : PublishedPass
        The pass.
    efficiency : float
        Efficiency f of reconciliation, at least 1.
    security : Security, optional
        ε_sec and ε_cor, of each block; 1e-10 and 1e-15 by default.
    """
    security = Security() if security is None else security
    blocks = row.packets // BLOCK_PACKETS
    block, whole = (rebuilt_counts(row.qber, n) for n in (BLOCK_PACKETS, row.packets))
    leaks = [
        reconciliation_leak(counts.key.clicks[0], row.qber, None, efficiency)
        for counts in (block, whole)
    ]
    signal, decoy, vacuum = block.key.clicks
    decoy_errors = block.key.errors[1]
    assert decoy_errors is not None
    paper = paper_key_length(
        BlockCounts(signal, decoy, vacuum, decoy_errors), row.qber, leak_bits=leaks[0]
    )
    return PassKeys(
        paper=blocks * paper.length_bits,
        blocks=blocks * _composable(block, leaks[0], security),
        whole=_composable(whole, leaks[1], security),
    )
