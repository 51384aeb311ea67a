"""Supplies of I/O banks that a board lets its part adjust."""

import math

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["AdjustableSupplies", "control_fraction"]

_REFERENCE_V = 0.6
_INJECTION_OHM, _FEEDBACK_OHM, _SET_OHM = 68_000, 53_600, 13_000
_FILTER_F = 0.1e-6
_PIN_V = 3.3
_COUNTER_BITS = 10
_SOFT_START_S = 1e-3


def control_fraction(volts: float) -> float:
    """Give the fraction of the time for which a control pin of the ButterStick is high.

    The feedback node of the converter, held at 0.6 V, sinks a constant current into 13 kΩ; what
    the pin's mean voltage injects over 68 kΩ of it does not come from the output over 53.6 kΩ
    (schematic of the ButterStick r1.0).

    Parameters
    ----------
    volts : float
        Output voltage, 1.0 to 3.3.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the voltage is out of range.
    """
    if not 1.0 <= volts <= 3.3:
        raise ValueError(f"a bank cannot be supplied with {volts} V")
    from_output = (volts - _REFERENCE_V) / _FEEDBACK_OHM
    injected = _REFERENCE_V / _SET_OHM - from_output
    return (_REFERENCE_V + injected * _INJECTION_OHM) / _PIN_V


class AdjustableSupplies(wiring.Component):
    """Sets the supplies of the banks of the ButterStick's connectors, and switches them on.

    Parameters
    ----------
    volts : tuple of float
        One supply each.
    clock_hz : int
        Clock of the domain ``sync``.

    Members
    -------
    control : Out(len(volts))
        Pins whose mean voltage, after a filter, sets the supplies.
    enable : Out(1)
        The filters have settled: the supplies are on.
    good : Out(1)
        The supplies have their voltage.
    """

    def __init__(self, volts: tuple[float, ...], clock_hz: int) -> None:
        self._high = [round(control_fraction(one) * (1 << _COUNTER_BITS)) for one in volts]
        # Eight time constants of the filter, to a thousandth of a volt.
        self._settled = math.ceil(8 * _INJECTION_OHM * _FILTER_F * clock_hz)
        self._good = self._settled + math.ceil(_SOFT_START_S * clock_hz)
        super().__init__({"control": Out(len(volts)), "enable": Out(1), "good": Out(1)})

    def elaborate(self, platform):
        m = Module()
        counter, age = Signal(_COUNTER_BITS), Signal(range(self._good + 1))
        m.d.sync += [
            counter.eq(counter + 1),
            self.enable.eq(age >= self._settled),
            self.good.eq(age == self._good),
        ]
        for pin, high in zip(self.control, self._high, strict=True):
            m.d.sync += pin.eq(counter < high)
        with m.If(age != self._good):
            m.d.sync += age.eq(age + 1)
        return m
