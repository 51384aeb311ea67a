"""What a click may be: the photon number and errors that hide behind what is seen.

Of every sifted click one sees its *class*: its intensity, whether its bit is wrong,
and, where the bases differ in use, its basis. Behind it is a *kind* that nobody sees
and an eavesdropper may choose as she likes: the number of photons of the pulse, and
of a single photon whether it is wrong in either basis. Given the kind, the class is
random with probabilities that the source alone decides:

- no photon: Alice's bit reached nobody, so the bit is wrong with probability 1/2;
- one photon: the state does not tell the basis, so which of the two errors is seen
  (the bit error) and which is not (the phase error) is decided by the choice of bases;
- more photons: the bit may be known, and be made wrong, at will; only the choice of
  the intensity remains.
"""

import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from keybeam.key_length.counts import BasisCounts, SiftedCounts
from keybeam.key_length.errors import KeyLengthError
from keybeam.key_length.source import Source

__all__ = ["Atom", "Kind", "Layout", "Target", "kinds"]


class Target(enum.Enum):
    """A number of signal clicks that is not seen but bounded."""

    SINGLE = "single-photon clicks"
    VACUUM = "vacuum clicks"
    PHASE_ERRORS = "phase errors of single-photon clicks"


@dataclass(frozen=True)
class Layout:
    """Which classes of clicks are told apart.

    Attributes
    ----------
    errors_known : tuple of tuple of bool
        For each basis that is counted apart, and each intensity: whether its errors are counted.
        One basis stands for both together, two for the key's and the other.
    """

    errors_known: tuple[tuple[bool, ...], ...]

    @classmethod
    def of(cls, counts: SiftedCounts) -> "Layout":
        """Layout of some counts."""
        return cls(tuple(tuple(e is not None for e in b.errors) for b in _bases(counts)))

    def without_errors(self, *, of_key_only: bool = False) -> "Layout":
        """Leave the errors of all clicks, or those of the bits that make the key, out."""
        return Layout(
            tuple(
                tuple(known and of_key_only and (basis, k) != (0, 0) for k, known in enumerate(row))
                for basis, row in enumerate(self.errors_known)
            )
        )

    def check(self, source: Source) -> None:
        """Raise `KeyLengthError` unless the layout is one of the source's."""
        bases = 1 if source.key_basis_probability is None else 2
        if len(self.errors_known) != bases:
            raise KeyLengthError(
                "counts of the check basis belong to a source with a key_basis_probability, "
                "and to none without"
            )
        for basis in self.errors_known:
            if len(basis) != len(source.intensities):
                raise KeyLengthError(
                    f"clicks are given of {len(basis)} intensities, "
                    f"but the source has {len(source.intensities)}"
                )

    def variables(self) -> dict[tuple[int, int, bool], int]:
        """Give each class, (basis, intensity, wrong), its place in a vector."""
        places: dict[tuple[int, int, bool], int] = {}
        count = 0
        for basis, known in enumerate(self.errors_known):
            for intensity, errors_known in enumerate(known):
                places[basis, intensity, False] = count
                count += errors_known
                places[basis, intensity, True] = count
                count += 1
        return places

    def vector(self, counts: SiftedCounts) -> list[float]:
        """Give the counts in the order of `variables`."""
        values: list[float] = []
        for known, basis in zip(self.errors_known, _bases(counts), strict=True):
            for errors_known, clicks, errors in zip(known, basis.clicks, basis.errors, strict=True):
                if errors_known:
                    assert errors is not None
                    values += [clicks - errors, errors]
                else:
                    values.append(clicks)
        return values


def _bases(counts: SiftedCounts) -> list[BasisCounts]:
    return [counts.key] if counts.check is None else [counts.key, counts.check]


class Atom(NamedTuple):
    """One way in which a click of some kind and intensity may come out.

    Attributes
    ----------
    basis, intensity : int
        Its basis and intensity, as they are counted.
    wrong : bool
        Whether its bit is wrong.
    probability : float
        Probability, given the kind and the intensity.
    target : bool
        Whether it is one of the clicks to be bounded.
    """

    basis: int
    intensity: int
    wrong: bool
    probability: float
    target: bool


class Kind(NamedTuple):
    """A kind of click.

    Attributes
    ----------
    photons : int or None
        Photon number of the pulse; None: any from 2 on.
    atoms : tuple of Atom
        The ways in which it may come out.
    """

    photons: int | None
    atoms: tuple[Atom, ...]


class _Basis(NamedTuple):
    """A basis: how it is counted, how often it is chosen, whether it makes key, which it is."""

    counted: int
    probability: float
    makes_key: bool
    first: bool


def _chosen_bases(source: Source) -> tuple[_Basis, _Basis]:
    chosen = source.key_basis_probability
    if chosen is None:
        return _Basis(0, 0.5, True, True), _Basis(0, 0.5, True, False)
    both_key, both_check = chosen**2, (1 - chosen) ** 2
    part = both_key / (both_key + both_check)
    return _Basis(0, part, True, True), _Basis(1, 1 - part, False, False)


def kinds(source: Source, target: Target) -> Iterator[Kind]:
    """List the kinds of clicks and how they may come out.

    Parameters
    ----------
    source : Source
        Intensities and use of the bases.
    target : Target
        Which clicks are to be bounded.
    """
    bases = _chosen_bases(source)
    intensities = range(len(source.intensities))
    yield Kind(
        0,
        tuple(
            Atom(
                basis.counted,
                intensity,
                wrong,
                basis.probability / 2,
                target is Target.VACUUM and basis.makes_key and intensity == 0,
            )
            for basis, intensity, wrong in itertools.product(bases, intensities, (False, True))
        ),
    )
    for first_wrong, second_wrong in itertools.product((False, True), repeat=2):
        atoms = []
        for basis, intensity in itertools.product(bases, intensities):
            wrong = first_wrong if basis.first else second_wrong
            phase_wrong = second_wrong if basis.first else first_wrong
            wanted = target is Target.SINGLE or (target is Target.PHASE_ERRORS and phase_wrong)
            is_target = wanted and basis.makes_key and intensity == 0
            atoms.append(Atom(basis.counted, intensity, wrong, basis.probability, is_target))
        yield Kind(1, tuple(atoms))
    for counted, wrong in itertools.product({basis.counted for basis in bases}, (False, True)):
        yield Kind(None, tuple(Atom(counted, k, wrong, 1.0, False) for k in intensities))
