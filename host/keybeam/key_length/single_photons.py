"""Pulses of several photons of a single-photon source, without decoys.

Of a source with mean photon number m and g²(0) = <n(n - 1)>/m², a pulse has two or more photons
with a probability of at most m² g²(0)/2, since n(n - 1)/2 is at least 1 then (E. Waks et al.,
Phys. Rev. A 66 (2002) 042315). Without decoys every such pulse must be taken for a click.
"""

import math

import numpy as np

from keybeam.key_length.errors import KeyLengthError
from keybeam.key_length.source import Source

__all__ = ["most_many_photon_pulses"]

_TILTS = np.geomspace(1e-4, 4.0, 40)
"""Values of θ, fixed beforehand."""


def most_many_photon_pulses(source: Source, pulses: int | None, log_failure: float) -> float:
    """Bound the signal clicks of two or more photons in the bases that make key.

    With probability p each, M of N pulses are such. exp(θM - N p (e^θ - 1)) is a supermartingale
    for every θ, so M < (ln(1/ε) + N p (e^θ - 1))/θ but for ε, however N comes about. The best of
    some θ is taken, and ε divided by their number.

    Parameters
    ----------
    source : Source
        A source with a `pair_correlation`. With an uncertain intensity its mean photon number is
        the largest.
    pulses : int or None
        Pulses N.
    log_failure : float
        ln(1/ε).

    Raises
    ------
    KeyLengthError
        If the number of pulses is not known.
    """
    if pulses is None:
        raise KeyLengthError("a source without decoys needs the number of pulses")
    assert source.pair_correlation is not None
    mean = source.intensities[0] * (1 + source.intensity_uncertainty)
    chosen = source.key_basis_probability
    sifted = 0.5 if chosen is None else chosen**2
    expected = pulses * sifted * min(1.0, source.pair_correlation * mean**2 / 2)
    allowance = log_failure + math.log(_TILTS.size)
    return float(((allowance + expected * np.expm1(_TILTS)) / _TILTS).min())
