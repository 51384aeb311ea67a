"""The codes of the package: one parity-check matrix for each length of syndrome.

The matrices lie in ``keybeam/distillation/codes``, with ``catalogue.json`` naming
their properties; ``python -m keybeam.distillation.design`` writes both. Those for longer
frames are made of them (`QuasiCyclicMatrix.lifted`).
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keybeam.distillation import _native
from keybeam.distillation.bits import require_bits
from keybeam.distillation.errors import DistillationError
from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix
from keybeam.protocol.numbers import PACKET_BITS

__all__ = [
    "CATALOGUE_NAME",
    "FRAME_FACTORS",
    "Code",
    "code_by_identifier",
    "code_identifiers",
    "matrix_fingerprint",
]

CATALOGUE_NAME = "catalogue.json"
"""The file that lists the codes."""

FRAME_FACTORS = (1, 5, 10)
"""Lengths of a frame, in packets."""

_FACTOR_STEP = 1_000_000
"""What the identifier grows by for each packet of a longer frame."""

_FOLDER = resources.files("keybeam.distillation") / "codes"


def matrix_fingerprint(matrix: QuasiCyclicMatrix) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a matrix: sizes, then entries, as int32."""
    digest = hashlib.sha256(np.array([matrix.circulant, matrix.block_columns], "<i4").tobytes())
    for array in (matrix.row_starts, matrix.columns, matrix.shifts):
        digest.update(array.astype("<i4").tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Code:
    """A code with which a frame is reconciled.

    Attributes
    ----------
    identifier : int
        Number of the code in messages. For a frame of one packet it equals the number of
        syndrome bits; for one of n packets it is n·1 000 000 and the n-th part of them.
    limit_qber : float
        Error rate of a frame at which half the frames fail; a few per cent below, few do.
    fingerprint : str
        16 hexadecimal digits that tell matrices apart, so that two ends can see that
        they mean the same one.
    matrix : QuasiCyclicMatrix
        The parity-check matrix.
    """

    identifier: int
    limit_qber: float
    fingerprint: str
    matrix: QuasiCyclicMatrix

    @property
    def frame_bits(self) -> int:
        """Bits of a frame."""
        return self.matrix.variables

    @property
    def syndrome_bits(self) -> int:
        """Bits that the syndrome of a frame discloses."""
        return self.matrix.checks

    def syndrome(self, bits: NDArray[Any]) -> NDArray[np.uint8]:
        """Syndrome of a frame.

        Parameters
        ----------
        bits : ndarray of uint8, shape (frame_bits,)
            The frame.

        Returns
        -------
        ndarray of uint8, shape (syndrome_bits,)

        Raises
        ------
        DistillationError
            If the frame is not a bit string of the right length.
        """
        matrix = self.matrix
        return _native.find_syndrome(
            matrix.row_starts,
            matrix.columns,
            matrix.shifts,
            matrix.circulant,
            matrix.block_columns,
            require_bits(bits, "the frame", self.frame_bits),
        )


@cache
def _catalogue() -> dict[int, dict[str, Any]]:
    entries = json.loads((_FOLDER / CATALOGUE_NAME).read_text(encoding="utf-8"))
    return {entry["syndrome_bits"]: entry for entry in entries}


def code_identifiers(frame_bits: int = PACKET_BITS) -> list[int]:
    """List the identifiers of all codes, from the shortest syndrome to the longest.

    Parameters
    ----------
    frame_bits : int
        Bits of a frame: 1, 5 or 10 packets.

    Raises
    ------
    DistillationError
        If there are no codes for such frames.
    """
    factor, rest = divmod(frame_bits, PACKET_BITS)
    if rest or factor not in FRAME_FACTORS:
        lengths = ", ".join(str(PACKET_BITS * factor) for factor in FRAME_FACTORS)
        raise DistillationError(f"there are codes for frames of {lengths} bits, not {frame_bits}")
    offset = factor * _FACTOR_STEP if factor > 1 else 0
    return [offset + syndrome_bits for syndrome_bits in sorted(_catalogue())]


def _entry(identifier: int) -> tuple[dict[str, Any], int]:
    """Line of the catalogue, and packets of a frame, of a code."""
    factor, syndrome_bits = divmod(identifier, _FACTOR_STEP)
    entry = _catalogue().get(syndrome_bits)
    if entry is None or factor == 1 or (factor or 1) not in FRAME_FACTORS:
        raise DistillationError(
            f"there is no reconciliation code {identifier}: both ends need the same version"
        )
    return entry, factor or 1


def limit_of(identifier: int) -> float:
    """Look up the `limit_qber` of a code without loading its matrix."""
    entry, factor = _entry(identifier)
    return float(entry["limit_qber"][FRAME_FACTORS.index(factor)])


@cache
def code_by_identifier(identifier: int) -> Code:
    """Load the code with an identifier.

    Raises
    ------
    DistillationError
        If there is no such code, or its file does not hold the matrix of the catalogue.
    """
    entry, factor = _entry(identifier)
    file = _FOLDER / f"{entry['syndrome_bits']}.npz"
    with file.open("rb") as stream, np.load(stream) as arrays:
        matrix = QuasiCyclicMatrix(
            circulant=int(entry["circulant"]),
            block_columns=int(entry["block_columns"]),
            row_starts=arrays["row_starts"].astype(np.int32),
            columns=arrays["columns"].astype(np.int32),
            shifts=arrays["shifts"].astype(np.int32),
        )
    fingerprint = matrix_fingerprint(matrix)
    if fingerprint != entry["fingerprint"]:
        raise DistillationError(f"the file of code {identifier} is damaged: {file}")
    if factor > 1:
        matrix = matrix.lifted(factor)
        fingerprint = matrix_fingerprint(matrix)
    return Code(identifier, limit_of(identifier), fingerprint, matrix)
