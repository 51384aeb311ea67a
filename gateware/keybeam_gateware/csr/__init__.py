"""Registers: amaranth_soc's fields and memory maps, on a bus that is registered at every step.

The PyPI package ``amaranth-soc`` is an empty placeholder; ``luna-soc`` carries the library.
`Bridge` and `Decoder` take the place of its classes of the same names, whose path from the
address through all registers to the read data has no flip-flop in it.

The bus is that of amaranth_soc: ``addr``, ``r_stb`` and ``w_stb`` for one cycle with
``w_data``. Read data come some cycles after the strobe, one for every decoder on the way and
`Bridge.LATENCY`, stand for one cycle, and are 0 in every other: whoever reads gathers them by
OR. A register wider than the bus is read whole when its lowest word is, and written whole when
its highest word is.
"""

from luna_soc.gateware.vendor.amaranth_soc.csr import (
    Builder,
    Element,
    Field,
    FieldAction,
    Register,
    Signature,
    action,
)

from keybeam_gateware.csr.bridge import Bridge
from keybeam_gateware.csr.decoder import Decoder

__all__ = [
    "Bridge",
    "Builder",
    "Decoder",
    "Element",
    "Field",
    "FieldAction",
    "Register",
    "Signature",
    "action",
]
