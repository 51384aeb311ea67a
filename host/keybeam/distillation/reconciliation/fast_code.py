"""The codes of the fast mode, and their decoder.

Their matrices lie in ``keybeam/distillation/codes/fast.npz``, with ``fast.json`` naming their
properties; ``python -m keybeam.distillation.design.fast`` writes both.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import _native
from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation.code import Code, matrix_fingerprint
from keybeam.distillation.reconciliation.decoder import DecodeResult
from keybeam.distillation.reconciliation.fast_reference import fast_tables
from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix
from keybeam.protocol.numbers import PACKET_BITS

__all__ = [
    "FAST_CIRCULANT",
    "FAST_COLUMNS",
    "FAST_OFFSET",
    "FastCode",
    "fast_code_by_identifier",
    "fast_code_identifiers",
    "fast_instruction_sets",
    "fast_limit_of",
]

FAST_CIRCULANT = 256
"""Size of a circulant: four vectors of 64 lanes."""

FAST_COLUMNS = -(-PACKET_BITS // FAST_CIRCULANT)
"""Block columns; the variables beyond a frame are known to be zero."""

FAST_OFFSET = 1_000_000
"""What the identifier of a fast code is above its number of syndrome bits."""

_FOLDER = resources.files("keybeam.distillation") / "codes"

_PARTS = ("degrees", "columns", "shifts")
"""Arrays of a code in the file: entries of each block row, and what `QuasiCyclicMatrix` says."""


def fast_instruction_sets() -> list[_native.InstructionSet]:
    """List the vector instructions that the fast decoder can use here, the widest last."""
    return [kind for kind in _native.InstructionSet if _native.is_fast_available(kind)]


_FASTEST = fast_instruction_sets()[-1]


@dataclass(frozen=True, eq=False)
class FastCode(Code):
    """A code of `Mode.FAST`; see `Code`."""

    @property
    def frame_bits(self) -> int:
        """Bits of a frame; the matrix has some more variables, which are zero."""
        return PACKET_BITS

    def syndrome(self, bits: NDArray[Any]) -> NDArray[np.uint8]:
        """Syndrome of a frame; see `Code.syndrome`."""
        padded = np.zeros(self.matrix.variables, np.uint8)
        padded[: self.frame_bits] = require_bits(bits, "the frame", self.frame_bits)
        matrix = self.matrix
        return _native.find_syndrome(
            matrix.row_starts,
            matrix.columns,
            matrix.shifts,
            matrix.circulant,
            matrix.block_columns,
            padded,
        )

    @cached_property
    def _decoder(self) -> _native.FastDecoder:
        tables = fast_tables(self.limit_qber)
        return _native.FastDecoder(
            self.matrix.row_starts,
            self.matrix.columns,
            self.matrix.shifts,
            self.matrix.circulant,
            self.matrix.block_columns,
            tables.doubt,
            tables.message,
            tables.channel,
            self.frame_bits,
        )

    def decode(
        self, bits: NDArray[Any], syndrome: NDArray[Any], iteration_limit: int
    ) -> DecodeResult:
        """Find the other end's frame.

        Parameters
        ----------
        bits : ndarray of uint8, shape (frame_bits,)
            The own frame.
        syndrome : ndarray of uint8, shape (syndrome_bits,)
            Syndrome of the other end's frame.
        iteration_limit : int
            Most passes of the decoder.

        Raises
        ------
        DistillationError
            If a bit string has the wrong length or values.
        """
        own = require_bits(bits, "the frame", self.frame_bits)
        other = require_bits(syndrome, "the syndrome", self.syndrome_bits)
        return DecodeResult(*self._decoder.decode(own, other, iteration_limit, _FASTEST))


@cache
def _catalogue() -> dict[int, dict[str, Any]]:
    entries = json.loads((_FOLDER / "fast.json").read_text(encoding="utf-8"))
    return {FAST_OFFSET + entry["syndrome_bits"]: entry for entry in entries}


def fast_code_identifiers() -> list[int]:
    """List the identifiers of the fast codes, from the shortest syndrome to the longest."""
    return sorted(_catalogue())


def fast_limit_of(identifier: int) -> float:
    """Look up the `limit_qber` of a fast code without loading its matrix."""
    return float(_catalogue()[identifier]["limit_qber"])


@cache
def fast_code_by_identifier(identifier: int) -> FastCode:
    """Load the fast code with an identifier.

    Raises
    ------
    DistillationError
        If there is no such code, or the file does not hold the matrix of the catalogue.
    """
    entry = _catalogue().get(identifier)
    if entry is None:
        raise DistillationError(
            f"there is no fast reconciliation code {identifier}: both ends need the same version"
        )
    name = str(entry["syndrome_bits"])
    file = _FOLDER / "fast.npz"
    with file.open("rb") as stream, np.load(stream) as arrays:
        degrees, columns, shifts = (arrays[f"{name}.{part}"] for part in _PARTS)
    matrix = QuasiCyclicMatrix(
        circulant=FAST_CIRCULANT,
        block_columns=FAST_COLUMNS,
        row_starts=np.concatenate([[0], np.cumsum(degrees)]).astype(np.int32),
        columns=columns.astype(np.int32),
        shifts=shifts.astype(np.int32),
    )
    fingerprint = matrix_fingerprint(matrix)
    if fingerprint != entry["fingerprint"]:
        raise DistillationError(f"the file of fast code {identifier} is damaged: {file}")
    return FastCode(identifier, float(entry["limit_qber"]), fingerprint, matrix)
