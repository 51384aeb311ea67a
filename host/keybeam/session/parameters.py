"""The parameters of a session by default: those of the paper (arXiv:2408.10994)."""

from keybeam.key_length import PAPER_INTENSITIES, PAPER_PROBABILITIES, PAPER_XI, Analysis, Security
from keybeam.protocol.numbers import BLOCK_PACKETS, PACKET_BITS, SAMPLE_FRACTION
from keybeam.session.messages import SessionParameters

__all__ = ["default_parameters"]


def default_parameters(
    block_packets: int = BLOCK_PACKETS, analysis: Analysis = Analysis.COMPOSABLE
) -> SessionParameters:
    """Parameters with the paper's intensities and packets.

    Parameters
    ----------
    block_packets : int
        Packets of a privacy-amplification block, 1 to 9.
    analysis : Analysis
        Analysis of the key length, with the failure probability that it usually has.
    """
    failure = PAPER_XI if analysis is Analysis.PAPER else Security().secrecy
    return SessionParameters(
        intensities=PAPER_INTENSITIES,
        probabilities=PAPER_PROBABILITIES,
        packet_bits=PACKET_BITS,
        block_packets=block_packets,
        sample_fraction=SAMPLE_FRACTION,
        analysis=analysis.value,
        failure_probability=failure,
    )
