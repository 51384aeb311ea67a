"""Distillation with the package's codes, Toeplitz amplification and analyses of the key length."""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import (
    BlockCounts,
    DistillationError,
    KeyLength,
    NoCodeError,
    tag,
    toeplitz,
)
from keybeam.distillation.reconciliation import (
    Code,
    Counted,
    FrameDecoder,
    Mode,
    choose_code,
    code_by_identifier,
    code_identifiers,
    estimate_error_rate,
    wanted_bits,
)
from keybeam.key_length import Analysis, SessionAnalysis
from keybeam.session.distiller import Disclosure
from keybeam.session.messages import SessionParameters
from keybeam.sifting import CodingError, pack_bits, unpack_bits

__all__ = ["LdpcCorrection", "LdpcDistiller"]

_MODE = Mode.INTERACTIVE


class LdpcCorrection:
    """The correction of a packet (see `keybeam.session.distiller.Correction`).

    Parameters
    ----------
    code : Code
        Code of the syndrome.
    decoder : FrameDecoder
        With the receiver's bits and the syndrome.
    expected_tag, key : bytes
        Verification tag of the sender's bits, and its key.
    """

    def __init__(self, code: Code, decoder: FrameDecoder, expected_tag: bytes, key: bytes) -> None:
        self._code = code
        self._decoder = decoder
        self._tag = expected_tag
        self._key = key
        self._rounds = 0
        self._converged = False

    def attempt(self) -> NDArray[np.uint8] | None:
        """Decode, then verify."""
        result = self._decoder.decode(_MODE.iterations, _MODE.patience)
        self._converged = result.converged
        verified = result.converged and tag(result.bits, self._key) == self._tag
        return result.bits if verified else None

    def doubtful(self) -> NDArray[np.uint32]:
        """Places of the least certain bits; none after the last round, or of a false frame."""
        if self._converged or self._rounds == _MODE.rounds:
            return np.zeros(0, np.uint32)
        self._rounds += 1
        return self._decoder.doubtful(wanted_bits(self._code, self._rounds - 1))

    def tell(self, places: NDArray[np.uint32], bits: NDArray[np.uint8]) -> None:
        """Take the sender's bits at some places."""
        self._decoder.tell(places, bits)


class LdpcDistiller:
    """The steps of distillation (see `keybeam.session.distiller.Distiller`).

    Parameters
    ----------
    parameters : SessionParameters
        Intensities, probabilities, analysis and failure probability of the key length.
    """

    rounds = _MODE.rounds

    def __init__(self, parameters: SessionParameters) -> None:
        self._parameters = parameters
        self._analysis = SessionAnalysis(
            Analysis(parameters.analysis),
            parameters.intensities,
            parameters.probabilities,
            parameters.failure_probability,
        )
        self._analysis.prepare()

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the fingerprints of all codes."""
        codes = [code_by_identifier(identifier) for identifier in code_identifiers()]
        text = ",".join(f"{code.identifier}:{code.fingerprint}" for code in codes)
        return hashlib.sha256(text.encode()).digest()

    def disclose(self, bits: NDArray[np.uint8], counted: list[Counted], key: bytes) -> Disclosure:
        """Choose a code by the errors counted so far; give syndrome and tag."""
        code = _code_for(counted)
        return Disclosure(code.identifier, pack_bits(code.syndrome(bits)), tag(bits, key))

    def correction(
        self, bits: NDArray[np.uint8], disclosure: Disclosure, key: bytes
    ) -> LdpcCorrection | None:
        """Begin to correct a packet; return None where the syndrome is not that of a code."""
        try:
            code = code_by_identifier(disclosure.code)
            syndrome = unpack_bits(disclosure.syndrome, code.syndrome_bits)
        except (DistillationError, CodingError):
            return None
        return LdpcCorrection(code, FrameDecoder(code, bits, syndrome), disclosure.tag, key)

    def key_length(
        self, counts: BlockCounts, signal_errors: int, leak_bits: int, dropped_packets: int
    ) -> KeyLength:
        """Return the length of a block's key."""
        packets = math.ceil(counts.signal / self._parameters.packet_bits)
        return self._analysis.key_length(
            counts, signal_errors, leak_bits, packets=packets, dropped_packets=dropped_packets
        )

    def amplify(self, bits: NDArray[np.uint8], seed: bytes, length: int) -> bytes:
        """Return the key of a block, the first bit in the highest bit of the first byte."""
        if length == 0:
            return b""
        return pack_bits(toeplitz(bits, unpack_bits(seed, bits.size + length - 1), length))


def _code_for(counted: list[Counted]) -> Code:
    """Code for a packet, by the errors counted so far.

    Where there are more errors than any code corrects, it is the strongest one: the packet then
    fails and is dropped like any other. So it is where nothing was sampled.
    """
    try:
        if any(count.bits for count in counted):
            return choose_code(estimate_error_rate(counted), _MODE)
    except NoCodeError:
        pass
    return code_by_identifier(code_identifiers()[-1])
