"""The parameters of a session by default: those of the paper (arXiv:2408.10994)."""

from keybeam.key_length import PAPER_INTENSITIES, PAPER_PROBABILITIES, PAPER_XI
from keybeam.protocol.numbers import BLOCK_PACKETS, PACKET_BITS, SAMPLE_FRACTION
from keybeam.session.messages import SessionParameters

__all__ = ["default_parameters"]


def default_parameters(block_packets: int = BLOCK_PACKETS) -> SessionParameters:
    """Parameters with the paper's intensities, packets and analysis.

    Parameters
    ----------
    block_packets : int
        Packets of a privacy-amplification block, 1 to 9.
    """
    return SessionParameters(
        intensities=PAPER_INTENSITIES,
        probabilities=PAPER_PROBABILITIES,
        packet_bits=PACKET_BITS,
        block_packets=block_packets,
        sample_fraction=SAMPLE_FRACTION,
        analysis="paper",
        failure_probability=PAPER_XI,
    )
