"""Ways to reconcile a frame, behind one interface."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation.code import Code
from keybeam.distillation.reconciliation.decoder import DecodeResult, FrameDecoder, Prior
from keybeam.distillation.reconciliation.fast_code import FastCode

__all__ = ["Mode", "Reconciled", "reconcile", "wanted_bits"]


@dataclass(frozen=True)
class _Settings:
    margin: float
    doubt: float
    iterations: int
    patience: int
    rounds: int
    priors: tuple[Prior, ...] = ()


_PRIORS = (
    *(Prior(factor) for factor in (1.0, 0.9, 1.2, 0.8, 1.4)),
    *(Prior(1.0, 0.15, seed) for seed in range(5)),
    *(Prior(1.0, 0.3, seed) for seed in range(5, 10)),
)
"""Ways to try again: with the same odds of error, with others, with odds of its own each bit."""


class Mode(Enum):
    """How a frame is reconciled.

    `EFFICIENT` needs one message, the syndrome. `INTERACTIVE` begins with a shorter one; where
    that does not do, the receiver asks, a few times at most, for the bits it is least sure of.
    `FAST` needs one message too, a longer one, with codes of its own (`FastCode`), and takes a
    small part of the time. Where frames that one message does not correct are to be tried again,
    bits are asked for in these modes, too; see `reconcile`.

    Attributes
    ----------
    margin : float
        Standard deviations between the estimated error rate and the limit of the code.
    doubt : float
        Weight of the estimate's own deviation in these; none where bits may be asked for, as
        what they make up for is limited.
    iterations : int
        Passes of the decoder before it gives up, or asks.
    patience : int
        The same, of passes without progress.
    rounds : int
        Most times that bits may be asked for.
    priors : tuple of Prior
        Odds of error with which the decoder tries again, with more passes, before it gives up
        where nothing may be asked for.
    """

    EFFICIENT = _Settings(
        margin=2.2, doubt=1.0, iterations=200, patience=20, rounds=0, priors=_PRIORS
    )
    INTERACTIVE = _Settings(margin=-1.0, doubt=0.0, iterations=80, patience=10, rounds=6)
    FAST = _Settings(margin=2.2, doubt=1.0, iterations=30, patience=30, rounds=0)

    @property
    def margin(self) -> float:
        """See the class."""
        return self.value.margin

    @property
    def doubt(self) -> float:
        """See the class."""
        return self.value.doubt

    @property
    def iterations(self) -> int:
        """See the class."""
        return self.value.iterations

    @property
    def patience(self) -> int:
        """See the class."""
        return self.value.patience

    @property
    def rounds(self) -> int:
        """See the class."""
        return self.value.rounds

    @property
    def priors(self) -> tuple[Prior, ...]:
        """See the class."""
        return self.value.priors


_PARTS = (0.008, 0.012, 0.018, 0.03, 0.12, 0.3)
"""Bits to ask for in each round, as parts of the syndrome.

The first ones find how much a frame needs; the last are for frames with far more errors than
expected, as bits told tell less where the decoder is far from its goal.
"""


def wanted_bits(code: Code, round_number: int) -> int:
    """Bits to ask for in a round, which counts from 0; in all six 49 % of the syndrome."""
    return int(_PARTS[round_number] * code.syndrome_bits) // 8 * 8


_RETRY_ROUNDS = len(_PARTS)
"""Times that bits may be asked for to make up for one message."""

_AGAIN_ITERATIONS, _AGAIN_PATIENCE = 1000, 200
"""Passes of the decoder when it tries again: some frames go on after a long stop."""


@dataclass(frozen=True, eq=False)
class Reconciled:
    """Outcome of `reconcile`.

    Attributes
    ----------
    result : DecodeResult
        Of the last decoding; its passes are those of all.
    rounds : int
        Times that bits were asked for.
    leak_bits : int
        Bits disclosed: the syndrome and the bits told.
    """

    result: DecodeResult
    rounds: int
    leak_bits: int


def reconcile(
    mode: Mode,
    code: Code,
    bits: NDArray[Any],
    syndrome: NDArray[Any],
    ask: Callable[[NDArray[np.uint32]], NDArray[np.uint8]],
    *,
    retry: bool = False,
) -> Reconciled:
    """Find the other end's frame, asking for bits as the mode allows.

    Parameters
    ----------
    mode : Mode
        How to go about it.
    code : Code
        Code of the syndrome; see `choose_code`.
    bits : ndarray of uint8, shape (code.frame_bits,)
        The own frame.
    syndrome : ndarray of uint8, shape (code.syndrome_bits,)
        Syndrome of the other end's frame.
    ask : callable
        Takes places in the frame, rising, and returns the other end's bits there.
    retry : bool
        Ask for bits, up to six times, also in a mode of one message, where that did not do; one of
        the fast mode is first decoded again with values of higher precision.

    Raises
    ------
    DistillationError
        If a bit string has the wrong length or values, or the code is not one of the mode.
    """
    if isinstance(code, FastCode) != (mode is Mode.FAST):
        raise DistillationError(
            f"code {code.identifier} is not for the mode {mode.name.lower()}: both ends need the "
            "same mode"
        )
    if not isinstance(code, FastCode):
        rounds = _RETRY_ROUNDS if retry else mode.rounds
        return _search(mode, code, bits, syndrome, ask, rounds)
    result = code.decode(bits, syndrome, mode.iterations)
    if result.converged or not retry:
        return Reconciled(result, 0, code.syndrome_bits)
    return _search(Mode.EFFICIENT, code, bits, syndrome, ask, _RETRY_ROUNDS, result.iterations)


def _search(
    mode: Mode,
    code: Code,
    bits: NDArray[Any],
    syndrome: NDArray[Any],
    ask: Callable[[NDArray[np.uint32]], NDArray[np.uint8]],
    rounds: int,
    iterations: int = 0,
) -> Reconciled:
    """Decode, and ask for bits and decode again as long as there are rounds."""
    decoder = FrameDecoder(code, bits, syndrome)
    leak_bits = code.syndrome_bits
    for round_number in range(rounds + 1):
        result = decoder.decode(mode.iterations, mode.patience)
        iterations += result.iterations
        # Where bits may be asked for, that is of more use than trying in another way.
        for prior in () if rounds else mode.priors:
            if result.converged:
                break
            result = decoder.decode(_AGAIN_ITERATIONS, _AGAIN_PATIENCE, prior)
            iterations += result.iterations
        if result.converged or round_number == rounds:
            break
        places = decoder.doubtful(wanted_bits(code, round_number))
        decoder.tell(places, ask(places))
        leak_bits += places.size
    result = DecodeResult(result.bits, result.converged, iterations, result.errors)
    return Reconciled(result, round_number, leak_bits)
