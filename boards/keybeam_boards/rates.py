"""Slot rates that a terminal can be built for, and the reference clock each is made from.

Everything of the gateware counts slots, so only clocks change: the fabric runs at a quarter of the
slot rate, the lane cells' clock at half of it. Slower pulse rates are slots left empty, which is
set while the board runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from keybeam.protocol.link import UART_BAUD
from keybeam.protocol.numbers import PULSE_RATE_HZ, SLOTS_PER_CYCLE

__all__ = ["BITS_PER_EDGE_CYCLE", "DEFAULT_SLOT_RATE", "SLOT_RATES", "SlotRate"]

BITS_PER_EDGE_CYCLE = 2
"""Bits of a lane in a cycle of the edge clock."""


@dataclass(frozen=True)
class SlotRate:
    """How often a slot comes, and what follows from it."""

    slot_hz: int
    """Slots a second, of all lanes alike."""
    external_hz: int | None
    """Frequency of an external reference clock; None if the board's own will do."""
    pulse_rates: str
    """Pulse rates for which it is meant."""

    @property
    def edge_clock_hz(self) -> Fraction:
        """The clock of the lane cells, which move a bit on either edge."""
        return Fraction(self.slot_hz, BITS_PER_EDGE_CYCLE)

    @property
    def fabric_clock_hz(self) -> Fraction:
        """The clock of the logic."""
        return Fraction(self.slot_hz, SLOTS_PER_CYCLE)

    @property
    def uart_divisor(self) -> int:
        """Clock cycles of a bit of the serial line."""
        return round(self.fabric_clock_hz / UART_BAUD)


DEFAULT_SLOT_RATE = str(round(PULSE_RATE_HZ / 1e6))
"""Slot rate of a build that asks for none."""

SLOT_RATES: Mapping[str, SlotRate] = {
    "625": SlotRate(625_000_000, None, "625, 312.5 and 156.25 MHz"),
    "312.5": SlotRate(312_500_000, None, "312.5 and 156.25 MHz, on parts of grade -6"),
    "400": SlotRate(400_000_000, None, "100 MHz"),
    "608": SlotRate(608_000_000, 76_000_000, "76 MHz, in step with an external clock"),
    "640": SlotRate(640_000_000, None, "40 MHz"),
}
"""Slot rates by their name, in MHz."""
