"""Decoding of a frame."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import _native
from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation.code import Code

__all__ = [
    "ITERATION_LIMIT",
    "PATIENCE",
    "DecodeResult",
    "FrameDecoder",
    "Prior",
    "decode",
    "instruction_sets",
]

ITERATION_LIMIT = 200
"""Passes after which decoding is given up."""

PATIENCE = 20
"""Passes without progress after which decoding is given up."""

_CERTAIN = np.float32(2.0**80)
"""Odds of a bit that the other end has told."""


def instruction_sets() -> list[_native.InstructionSet]:
    """List the vector instructions that this processor has, the widest last."""
    return [kind for kind in _native.InstructionSet if _native.is_available(kind)]


_FASTEST = instruction_sets()[-1]


@dataclass(frozen=True, eq=False)
class DecodeResult:
    """What became of a frame.

    Attributes
    ----------
    bits : ndarray of uint8, shape (frame_bits,)
        The other end's frame as far as the syndrome tells, or the own frame unchanged
        when decoding did not converge. Only verification shows that the ends agree.
    converged : bool
        Whether the bits have the syndrome.
    iterations : int
        Passes of the decoder.
    errors : int
        Bits that were corrected; 0 when decoding did not converge.
    """

    bits: NDArray[np.uint8]
    converged: bool
    iterations: int
    errors: int


class Prior(NamedTuple):
    """Factors to the odds of error of bits.

    Attributes
    ----------
    factor : float
        That of all bits.
    spread : float
        Standard deviation of the logarithm of one more for each bit, drawn at random.
    seed : int
        Seed of these, which are no secret: the receiver alone uses them, to decode.
    """

    factor: float = 1.0
    spread: float = 0.0
    seed: int = 0

    def factors(self, count: int) -> NDArray[np.float32]:
        """Give the factors of so many bits."""
        if not self.spread:
            return np.full(count, self.factor, np.float32)
        deviations = np.random.default_rng(self.seed).standard_normal(count, np.float32)
        factors: NDArray[np.float32] = np.exp(np.float32(self.spread) * deviations)
        return np.float32(self.factor) * factors


_PLAIN = Prior()


class FrameDecoder:
    """Finds the other end's frame from its syndrome, and from single bits where that fails.

    Bits whose value the decoder could not tell are the ones worth asking for: the other end
    tells them, and decoding begins again with them known (E. O. Kiktenko et al., "Symmetric
    blind information reconciliation for quantum key distribution", Phys. Rev. Applied 8
    (2017) 044017).

    Parameters
    ----------
    code : Code
        The code of the syndrome.
    bits : ndarray of uint8, shape (code.frame_bits,)
        The own frame.
    syndrome : ndarray of uint8, shape (code.syndrome_bits,)
        Syndrome of the other end's frame.

    Raises
    ------
    DistillationError
        If a bit string has the wrong length or values.
    """

    def __init__(self, code: Code, bits: NDArray[Any], syndrome: NDArray[Any]) -> None:
        self._code = code
        self._own = require_bits(bits, "the frame", code.frame_bits)
        other = require_bits(syndrome, "the syndrome", code.syndrome_bits)
        self._pattern = other ^ code.syndrome(self._own)
        # The errors that the code just stands: frames with fewer are decoded anyway.
        prior = code.limit_qber
        self._prior = np.full(code.matrix.variables, prior / (1 - prior), np.float32)
        self._told = np.zeros(code.matrix.variables, np.bool_)
        # Variables beyond the frame are zero at both ends.
        self._prior[code.frame_bits :] = 1 / _CERTAIN
        self._told[code.frame_bits :] = True
        self._odds = self._prior.copy()
        self._messages = np.zeros(code.matrix.columns.size * code.matrix.circulant, np.float32)

    def decode(
        self,
        iteration_limit: int = ITERATION_LIMIT,
        patience: int = PATIENCE,
        prior: Prior = _PLAIN,
    ) -> DecodeResult:
        """Try to find the frame, anew each time.

        Parameters
        ----------
        iteration_limit : int
            Most passes.
        patience : int
            Passes in which at least a hundredth of the unmet checks has to be met.
        prior : Prior
            How the odds of error of the bits that were not told differ from those of the code's
            limit. Where decoding stops short, it often goes on along another way.
        """
        matrix = self._code.matrix
        np.multiply(self._prior, prior.factors(self._prior.size), out=self._odds)
        np.copyto(self._odds, self._prior, where=self._told)
        self._messages.fill(0)
        errors, converged, iterations = _native.decode_layered(
            matrix.row_starts,
            matrix.columns,
            matrix.shifts,
            matrix.circulant,
            matrix.block_columns,
            self._pattern,
            self._odds,
            self._messages,
            iteration_limit,
            patience,
            _FASTEST,
        )
        if not converged:
            return DecodeResult(self._own.copy(), False, iterations, 0)
        errors = errors[: self._code.frame_bits]
        return DecodeResult(self._own ^ errors, True, iterations, int(errors.sum(dtype=np.int64)))

    def doubtful(self, count: int) -> NDArray[np.uint32]:
        """Places of the bits that the last decoding could tell least, rising.

        Parameters
        ----------
        count : int
            How many, 0 or more; where fewer have not been told, these.

        Raises
        ------
        DistillationError
            If the number is negative.
        """
        if count < 0:
            raise DistillationError(f"{count} doubtful bits cannot be asked for")
        doubt = np.abs(np.log(self._odds))
        doubt[self._told] = np.inf
        count = min(count, int(np.count_nonzero(np.isfinite(doubt))))
        if not count:
            return np.zeros(0, np.uint32)
        places = np.argpartition(doubt, count - 1)[:count]
        return np.sort(places).astype(np.uint32)

    def tell(self, places: NDArray[np.uint32], bits: NDArray[Any]) -> None:
        """Take bits of the other end's frame.

        Parameters
        ----------
        places : ndarray of uint32, shape (n,)
            Their places in the frame.
        bits : ndarray of uint8, shape (n,)
            Their values.

        Raises
        ------
        DistillationError
            If the bits do not fit the places, or a place lies outside of the frame.
        """
        told = require_bits(bits, "the told bits", places.size)
        if places.size and int(places.max()) >= self._code.frame_bits:
            raise DistillationError(f"a told bit lies beyond {self._code.frame_bits} bits")
        wrong = told != self._own[places]
        self._prior[places] = np.where(wrong, _CERTAIN, 1 / _CERTAIN)
        self._told[places] = True


def decode(
    code: Code, bits: NDArray[Any], syndrome: NDArray[Any], iteration_limit: int = ITERATION_LIMIT
) -> DecodeResult:
    """Find the other end's frame from its syndrome alone; arguments as of `FrameDecoder`."""
    return FrameDecoder(code, bits, syndrome).decode(iteration_limit)
