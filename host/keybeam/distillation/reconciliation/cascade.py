"""Cascade: reconciliation by parities of blocks that the two ends compare, round after round.

G. Brassard and L. Salvail, "Secret-key reconciliation by public discussion", EUROCRYPT '93, with
the block sizes, the reuse of sub-blocks and the number of passes that J. Martinez-Mateo et al.,
"Demystifying the information reconciliation protocol Cascade", Quantum Inf. Comput. 15 (2015) 453
(arXiv:1407.3257), recommend. It has nothing in common with the codes of this package, so that
frames which both correct the same way were corrected rightly.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation.decoder import DecodeResult
from keybeam.distillation.reconciliation.modes import Reconciled

__all__ = ["CascadePlan", "CascadeSender", "reconcile_by_cascade"]

_PASSES = 14
_LEAST_RATE, _LARGEST_RATE = 1e-4, 0.25
"""Error rates between which blocks are sized; beyond them the nearest of the two is taken."""


@dataclass(frozen=True)
class CascadePlan:
    """What the two ends agree on before: in which order a pass walks the frame, and in what blocks.

    Attributes
    ----------
    frame_bits : int
        Bits of a frame, 2 or more.
    error_rate : float
        Expected error rate, 0 to 0.5, which sizes the blocks.
    seed : int
        Public seed of the orders, 0 or more.

    Raises
    ------
    DistillationError
        If a quantity is out of range.
    """

    frame_bits: int
    error_rate: float
    seed: int

    def __post_init__(self) -> None:
        if self.frame_bits < 2:
            raise DistillationError(f"a frame has 2 bits or more, not {self.frame_bits}")
        if not 0 <= self.error_rate <= 0.5:
            raise DistillationError(f"an error rate lies between 0 and 0.5, not {self.error_rate}")
        if self.seed < 0:
            raise DistillationError(f"a seed is 0 or more, not {self.seed}")

    def block_sizes(self) -> list[int]:
        """Bits of a block in each pass.

        With α = log2(1/q) - 1/2 they are 2^⌈α⌉, 2^⌈(α + 12)/2⌉, 4096, and half of the frame from
        then on (Martinez-Mateo et al., section 4).
        """
        rate = min(max(self.error_rate, _LEAST_RATE), _LARGEST_RATE)
        alpha = math.log2(1 / rate) - 0.5
        sizes = [2 ** math.ceil(alpha), 2 ** math.ceil((alpha + 12) / 2), 4096]
        half = -(-self.frame_bits // 2)
        return [min(size, half) for size in sizes] + [half] * (_PASSES - len(sizes))

    def order(self, number: int) -> NDArray[np.intp]:
        """Places of the frame in the order of a pass, which counts from 0: the first is as it is.

        Errors may come in bursts, so that later passes mix the places.
        """
        if number == 0:
            return np.arange(self.frame_bits)
        return np.random.default_rng([self.seed, number]).permutation(self.frame_bits)


class CascadeSender:
    """The end whose bits count: tells parities.

    Parameters
    ----------
    plan : CascadePlan
        What was agreed on.
    bits : ndarray of uint8, shape (plan.frame_bits,)
        The frame.

    Attributes
    ----------
    told : int
        Parities told, so bits disclosed, so far.

    Raises
    ------
    DistillationError
        If the frame is not a bit string of the right length.
    """

    def __init__(self, plan: CascadePlan, bits: NDArray[Any]) -> None:
        self._plan = plan
        self._bits = require_bits(bits, "the frame", plan.frame_bits)
        self._sums: dict[int, NDArray[np.uint8]] = {}
        self.told = 0

    def parities(self, blocks: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Tell the parities of blocks.

        Parameters
        ----------
        blocks : ndarray of int, shape (n, 3)
            Pass, begin and end of each block; the end is not part of it.

        Returns
        -------
        ndarray of uint8, shape (n,)

        Raises
        ------
        DistillationError
            If there is no such block.
        """
        passes, begins, ends = np.asarray(blocks, np.int64).reshape(-1, 3).T
        sound = (passes >= 0) & (passes < _PASSES) & (begins >= 0) & (begins < ends)
        if not (sound & (ends <= self._plan.frame_bits)).all():
            raise DistillationError("parities of blocks are asked for that there are not")
        parities = np.empty(passes.size, np.uint8)
        for number in np.unique(passes).tolist():
            if number not in self._sums:
                ordered = self._bits[self._plan.order(number)]
                self._sums[number] = np.append(np.uint8(0), np.bitwise_xor.accumulate(ordered))
            here, sums = passes == number, self._sums[number]
            parities[here] = sums[begins[here]] ^ sums[ends[here]]
        self.told += passes.size
        return parities


class _Block:
    """A block of a pass, of which it is known whether it holds an odd number of errors."""

    __slots__ = ("begin", "end", "left", "odd", "right")

    def __init__(self, begin: int, end: int, odd: bool) -> None:
        self.begin, self.end, self.odd = begin, end, odd
        self.left: _Block | None = None
        self.right: _Block | None = None


class _Pass:
    """A pass: the frame in its order, and all its blocks whose parities are known."""

    def __init__(self, number: int, order: NDArray[np.intp], bits: NDArray[np.uint8]) -> None:
        self.number = number
        self.order = order
        self.place = np.empty_like(order)
        self.place[order] = np.arange(order.size)
        self.bits = bits[order]
        self.size = 0
        self.blocks: list[_Block] = []
        self.odd: set[_Block] = set()

    def parity(self, begin: int, end: int) -> int:
        """Parity of the own bits of a block."""
        return int(np.bitwise_xor.reduce(self.bits[begin:end]))

    def open(self, size: int, ends: list[int], odd: Iterable[bool]) -> None:
        """Begin with blocks of one size."""
        self.size = size
        begins = [0, *ends[:-1]]
        self.blocks = [_Block(*block) for block in zip(begins, ends, odd, strict=True)]
        self.odd = {block for block in self.blocks if block.odd}

    def flip(self, place: int) -> None:
        """Correct a bit of the frame: every known block that holds it changes."""
        at = int(self.place[place])
        self.bits[at] ^= 1
        block: _Block | None = self.blocks[at // self.size]
        top = block
        while block is not None:
            block.odd = not block.odd
            following = block.left
            if following is not None and at >= following.end:
                following = block.right
            block = following
        if top is not None:
            (self.odd.add if top.odd else self.odd.discard)(top)

    def smallest_odd(self) -> list[_Block]:
        """Give the smallest known odd block within each odd block."""
        found = []
        for top in self.odd:
            block = top
            while block.left is not None and block.right is not None:
                block = block.left if block.left.odd else block.right
            found.append(block)
        return sorted(found, key=lambda block: block.begin)


class _Receiver:
    """The end that corrects its bits."""

    def __init__(
        self, plan: CascadePlan, bits: NDArray[np.uint8], ask: Callable[..., NDArray[np.uint8]]
    ) -> None:
        self._plan, self._ask = plan, ask
        self._passes: list[_Pass] = []
        self._total = 0
        self.bits = bits.copy()
        self.rounds = self.leak_bits = 0

    def _parities(self, blocks: list[tuple[int, int, int]]) -> NDArray[np.uint8]:
        """Ask for parities, all in one message."""
        if not blocks:
            return np.zeros(0, np.uint8)
        asked = np.array(blocks, np.int64)
        told = require_bits(self._ask(asked), "the told parities", len(blocks))
        self.rounds += 1
        self.leak_bits += len(blocks)
        return told

    def run(self) -> None:
        """Go through all passes."""
        for number, size in enumerate(self._plan.block_sizes()):
            self._begin(number, size)
            # Whatever was corrected may have made blocks of other passes odd.
            while (part := next((part for part in self._passes if part.odd), None)) is not None:
                while part.odd:
                    self._halve(part)

    def _begin(self, number: int, size: int) -> None:
        part = _Pass(number, self._plan.order(number), self.bits)
        ends = [*range(size, self._plan.frame_bits, size), self._plan.frame_bits]
        begins = [0, *ends[:-1]]
        # From the second pass on the last parity follows from the others and that of the frame.
        asked = len(ends) - (number > 0)
        told = self._parities(
            [(number, *block) for block in zip(begins[:asked], ends[:asked], strict=True)]
        )
        parities = told.tolist()
        if number == 0:
            self._total = int(np.bitwise_xor.reduce(told))
        else:
            parities.append(self._total ^ int(np.bitwise_xor.reduce(told)))
        own = np.bitwise_xor.reduceat(part.bits, begins).tolist()
        part.open(size, ends, [mine != other for mine, other in zip(own, parities, strict=True)])
        self._passes.append(part)

    def _halve(self, part: _Pass) -> None:
        """Ask for half of each smallest odd block of a pass; correct what is found so."""
        blocks = part.smallest_odd()
        wide = [block for block in blocks if block.end - block.begin > 1]
        halves = [(block.begin + block.end) // 2 for block in wide]
        told = self._parities(
            [(part.number, block.begin, half) for block, half in zip(wide, halves, strict=True)]
        )
        for block, half, parity in zip(wide, halves, told.tolist(), strict=True):
            odd = part.parity(block.begin, half) != parity
            block.left = _Block(block.begin, half, odd)
            block.right = _Block(half, block.end, block.odd != odd)
        for block in blocks:
            found = block
            while found.left is not None and found.right is not None:
                found = found.left if found.left.odd else found.right
            if found.end - found.begin == 1:
                self._correct(int(part.order[found.begin]))

    def _correct(self, place: int) -> None:
        self.bits[place] ^= 1
        for part in self._passes:
            part.flip(place)


def reconcile_by_cascade(
    plan: CascadePlan,
    bits: NDArray[Any],
    ask: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
) -> Reconciled:
    """Find the other end's frame by parities.

    All blocks of a pass that are known to hold an odd number of errors are halved in one round of
    messages, until none is left. Then the same is done with blocks of other passes that the
    corrections have made odd, those of earlier passes, which are smaller, first.

    Parameters
    ----------
    plan : CascadePlan
        What was agreed on.
    bits : ndarray of uint8, shape (plan.frame_bits,)
        The own frame.
    ask : callable
        Takes blocks, and returns the other end's parities; see `CascadeSender.parities`.

    Returns
    -------
    Reconciled
        The leak counts every parity that was told. The result always has the parities that were
        told; only verification shows that it is the other end's frame.

    Raises
    ------
    DistillationError
        If a bit string has the wrong length or values.
    """
    own = require_bits(bits, "the frame", plan.frame_bits)
    receiver = _Receiver(plan, own, ask)
    receiver.run()
    errors = int(np.count_nonzero(receiver.bits != own))
    result = DecodeResult(receiver.bits, True, _PASSES, errors)
    return Reconciled(result, receiver.rounds, receiver.leak_bits)
