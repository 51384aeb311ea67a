"""Distillation with the package's codes, Toeplitz amplification and the paper's key length."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import (
    BlockCounts,
    DistillationError,
    KeyLength,
    paper_key_length,
    tag,
    toeplitz,
)
from keybeam.distillation.reconciliation import (
    Code,
    choose_code,
    code_by_identifier,
    code_identifiers,
    decode,
)
from keybeam.session.distiller import Disclosure
from keybeam.session.messages import SessionParameters
from keybeam.sifting import CodingError, pack_bits, unpack_bits

__all__ = ["LdpcDistiller"]


class LdpcDistiller:
    """The steps of distillation (see `keybeam.session.distiller.Distiller`).

    Parameters
    ----------
    parameters : SessionParameters
        Intensities, probabilities and failure probability of the key length.
    """

    def __init__(self, parameters: SessionParameters) -> None:
        self._parameters = parameters

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the fingerprints of all codes."""
        codes = [code_by_identifier(identifier) for identifier in code_identifiers()]
        text = ",".join(f"{code.identifier}:{code.fingerprint}" for code in codes)
        return hashlib.sha256(text.encode()).digest()

    def disclose(
        self, bits: NDArray[np.uint8], sampled: int, errors: int, key: bytes
    ) -> Disclosure:
        """Choose a code by the sampled clicks; give syndrome and tag."""
        code = _code_for(sampled, errors)
        return Disclosure(code.identifier, pack_bits(code.syndrome(bits)), tag(bits, key))

    def correct(
        self, bits: NDArray[np.uint8], disclosure: Disclosure, qber: float, key: bytes
    ) -> NDArray[np.uint8] | None:
        """Return the sender's bits, or None where they are not found or fail verification."""
        try:
            code = code_by_identifier(disclosure.code)
            syndrome = unpack_bits(disclosure.syndrome, code.syndrome_bits)
        except (DistillationError, CodingError):
            return None
        result = decode(code, bits, syndrome, min(qber, 0.5))
        verified = result.converged and tag(result.bits, key) == disclosure.tag
        return result.bits if verified else None

    def key_length(self, counts: BlockCounts, qber: float, leak_bits: int) -> KeyLength:
        """Return the length of a block's key."""
        return paper_key_length(
            counts,
            min(qber, 0.5),
            leak_bits=leak_bits,
            intensities=self._parameters.intensities,
            probabilities=self._parameters.probabilities,
            xi=self._parameters.failure_probability,
        )

    def amplify(self, bits: NDArray[np.uint8], seed: bytes, length: int) -> bytes:
        """Return the key of a block, the first bit in the highest bit of the first byte."""
        if length == 0:
            return b""
        return pack_bits(toeplitz(bits, unpack_bits(seed, bits.size + length - 1), length))


def _code_for(sampled: int, errors: int) -> Code:
    """Code for a packet, by its sampled clicks.

    Where there are more errors than any code corrects, it is the strongest one: the packet then
    fails and is dropped like any other.
    """
    if sampled:
        try:
            return choose_code(min(errors / sampled, 0.5), sampled)
        except DistillationError:
            pass
    return code_by_identifier(code_identifiers()[-1])
