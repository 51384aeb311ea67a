"""The steps of distillation as a session puts them together."""

import numpy as np
import pytest

from keybeam.distillation import BlockCounts, paper_key_length, toeplitz
from keybeam.distillation.reconciliation import Counted
from keybeam.key_length import Analysis, BasisCounts, SiftedCounts, composable_key_length
from keybeam.protocol.numbers import PACKET_BITS
from keybeam.session.distiller import Disclosure
from keybeam.session.ldpc import LdpcDistiller
from keybeam.session.parameters import default_parameters

KEY = bytes(range(16))


@pytest.fixture(scope="module")
def distiller():
    return LdpcDistiller(default_parameters())


@pytest.fixture(scope="module")
def packet():
    """Bits of both ends that differ in 1 %, and what 11 000 sampled clicks told of it."""
    generator = np.random.default_rng(1)
    sent = generator.integers(0, 2, PACKET_BITS, dtype=np.uint8)
    received = sent ^ (generator.random(PACKET_BITS) < 0.01).astype(np.uint8)
    return sent, received


EXPECTED = [Counted(110, 11_000, 0), Counted(1_010, 100_000, 2)]
"""What was counted before: 1 % in a sample of the packet, 1.01 % in an earlier packet."""


def correct(distiller, sent, received, disclosure, *, lie=False):
    """The bits found, and the number of bits told on the way."""
    correction = distiller.correction(received, disclosure, KEY)
    told = 0
    for _ in range(distiller.rounds + 1):
        bits = correction.attempt()
        if bits is not None:
            break
        places = correction.doubtful()
        if not places.size:
            break
        told += places.size
        correction.tell(places, sent[places] ^ lie)
    return bits, told


def test_a_packet_is_corrected(distiller, packet):
    sent, received = packet
    disclosure = distiller.disclose(sent, EXPECTED, KEY)
    corrected, told = correct(distiller, sent, received, disclosure)
    assert np.array_equal(corrected, sent)
    # Not fewer bits than Shannon's limit of 8079, and the tag's 128.
    assert 8079 + 128 < disclosure.leak_bits + told < 1.25 * 8079


def test_a_packet_with_more_errors_than_foreseen_is_corrected_by_asking(distiller, packet):
    sent, received = packet
    disclosure = distiller.disclose(sent, [Counted(850, 100_000, 1)], KEY)
    corrected, told = correct(distiller, sent, received, disclosure)
    assert np.array_equal(corrected, sent)
    assert told > 0


def test_false_bits_do_not_pass_verification(distiller, packet):
    sent, received = packet
    disclosure = distiller.disclose(sent, [Counted(850, 100_000, 1)], KEY)
    corrected, told = correct(distiller, sent, received, disclosure, lie=True)
    assert told > 0
    assert corrected is None


def test_a_wrong_tag_drops_the_packet(distiller, packet):
    sent, received = packet
    disclosure = distiller.disclose(sent, EXPECTED, KEY)._replace(tag=bytes(16))
    assert correct(distiller, sent, received, disclosure)[0] is None


@pytest.mark.parametrize(
    "disclosure",
    [Disclosure(-1, b"", bytes(16)), Disclosure(10**9, bytes(1000), bytes(16))],
    ids=["no code", "a code that is not there"],
)
def test_a_disclosure_that_makes_no_sense_drops_the_packet(distiller, packet, disclosure):
    assert distiller.correction(packet[1], disclosure, KEY) is None


def test_a_syndrome_of_wrong_length_drops_the_packet(distiller, packet):
    sent, received = packet
    disclosure = distiller.disclose(sent, EXPECTED, KEY)
    wrong = disclosure._replace(syndrome=disclosure.syndrome[:-1])
    assert distiller.correction(received, wrong, KEY) is None


@pytest.mark.parametrize(("sampled", "errors"), [(0, 0), (1000, 900), (1000, 300)])
def test_too_many_errors_for_any_code_still_give_a_disclosure(distiller, packet, sampled, errors):
    strongest = distiller.disclose(packet[0], [Counted(errors, sampled, 0)], KEY)
    assert strongest.leak_bits > distiller.disclose(packet[0], EXPECTED, KEY).leak_bits


def test_length_and_key_are_those_of_the_package(distiller):
    counts = BlockCounts(signal=500_000, decoy=34_375, vacuum=3_879, decoy_errors=1_878)
    told = distiller.key_length(counts, 5_050, 50_000, 1)
    sifted = SiftedCounts(
        BasisCounts((500_000, 34_375, 3_879), (5_050, 1_878, None)), packets=5, dropped_packets=1
    )
    assert told == composable_key_length(sifted, 50_000)
    paper = LdpcDistiller(default_parameters(analysis=Analysis.PAPER))
    assert paper.key_length(counts, 5_050, 50_000, 1) == paper_key_length(
        counts, 0.0101, leak_bits=50_000
    )
    # Counts that prove no key make none, and are no error of the session.
    assert distiller.key_length(counts, 60_000, 50_000, 0).length_bits == 0
    generator = np.random.default_rng(2)
    bits = generator.integers(0, 2, 1000, dtype=np.uint8)
    seed = generator.bytes((1000 + 256 - 1 + 7) // 8)
    matrix = np.unpackbits(np.frombuffer(seed, np.uint8))[: 1000 + 256 - 1]
    key = distiller.amplify(bits, seed, 256)
    assert np.array_equal(np.unpackbits(np.frombuffer(key, np.uint8)), toeplitz(bits, matrix, 256))
    assert distiller.amplify(bits, b"", 0) == b""
