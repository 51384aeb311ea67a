"""All inputs that the receiver tags: sampled inputs, delay lines, and their registers."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam.protocol.records import (
    COARSE_BITS,
    DETECTOR_CHANNELS,
    TAGGED_CHANNELS,
    Channel,
)
from keybeam.protocol.tagger import DELAY_LINE_TAPS, MOST_LINES, NOMINAL_TAP_PS
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.time_tagger import EventSignature, TaggerShared, TaggerUnit
from keybeam_gateware.time_tagger.registers import CHANNEL_ADDRESS_BITS

from .tagger import SampledTagger

__all__ = [
    "TAGGING_ADDRESS_BITS",
    "Tagging",
    "lines_of_channels",
    "pictures_layout",
    "samples_layout",
]

TAGGING_ADDRESS_BITS = CHANNEL_ADDRESS_BITS + (len(TAGGED_CHANNELS)).bit_length()
"""Width of the address of all these registers, in words of the bus."""


def lines_of_channels(lines: int) -> dict[Channel, int]:
    """Give the delay lines of each tagged channel.

    Parameters
    ----------
    lines : int
        Delay lines of a detector, 0 to 2; with any, each other channel has one.

    Returns
    -------
    dict of Channel to int

    Raises
    ------
    ValueError
        If there cannot be so many.
    """
    if not 0 <= lines <= MOST_LINES:
        raise ValueError(f"a channel has 0 to {MOST_LINES} delay lines, not {lines}")
    return {
        channel: lines if channel in DETECTOR_CHANNELS else min(lines, 1)
        for channel in TAGGED_CHANNELS
    }


def samples_layout() -> data.StructLayout:
    """Give the samples of a cycle of every tagged channel, by its name in small letters."""
    return data.StructLayout(
        {channel.name.lower(): unsigned(SLOTS_PER_CYCLE) for channel in TAGGED_CHANNELS}
    )


def pictures_layout(lines: int, taps: int = DELAY_LINE_TAPS) -> data.StructLayout:
    """Give the pictures of a cycle of all delay lines.

    Parameters
    ----------
    lines : int
        Delay lines of a detector.
    taps : int
        Taps of a line.

    Returns
    -------
    data.StructLayout
        By the channel's name in small letters and the number of its line, as ``h_0``.
    """
    return data.StructLayout(
        {
            f"{channel.name.lower()}_{line}": unsigned(taps)
            for channel, count in lines_of_channels(lines).items()
            for line in range(count)
        }
    )


class Tagging(wiring.Component):
    """Everything from the levels of the inputs to the events of their channels.

    Parameters
    ----------
    lines : int
        Delay lines of a detector's channel, 0 to 2; with any, each other channel has one. With
        none, the sampled inputs give the times.
    taps : int
        Taps of a line.
    tap_ps : float
        Delay of a tap in picoseconds, for times before the first calibration.

    Members
    -------
    samples : In(samples_layout())
        Samples of the inputs.
    pictures : In(pictures_layout(lines, taps))
        Pictures of the delay lines, if there are any.
    cycle : In(40)
        Number of the present cycle.
    enable : In(9)
        Channels whose edges become events.
    snapshot : In(1)
        Copy all counters to where they are read.
    pulser, pulser_run, calibrate
        As those of `TaggerShared`.
    events : Out(EventSignature()), by the channel's name in small letters
        Events of each channel.
    bus : In(csr)
        Registers: those in ``shared``, and those of each channel under its name.
    """

    def __init__(
        self,
        *,
        lines: int = 0,
        taps: int = DELAY_LINE_TAPS,
        tap_ps: float = NOMINAL_TAP_PS,
    ) -> None:
        chains = lines_of_channels(lines)
        self._units = {
            channel: TaggerUnit(chains=count, taps=taps, tap_ps=tap_ps)
            for channel, count in chains.items()
        }
        self._shared = TaggerShared(chains=chains, taps=taps)
        self._decoder = csr.Decoder(addr_width=TAGGING_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self._decoder.add(self._shared.bus, name="shared", addr=0)
        for place, (channel, unit) in enumerate(self._units.items(), 1):
            address = place << CHANNEL_ADDRESS_BITS
            self._decoder.add(unit.bus, name=channel.name.lower(), addr=address)
        events = {channel.name.lower(): Out(EventSignature()) for channel in self._units}
        pictures = {"pictures": In(pictures_layout(lines, taps))} if lines else {}
        super().__init__(
            pictures
            | {
                "samples": In(samples_layout()),
                "cycle": In(COARSE_BITS),
                "enable": In(len(Channel)),
                "snapshot": In(1),
                "pulser": In(1),
                "pulser_run": Out(1),
                "calibrate": Out(len(Channel)),
                "events": Out(wiring.Signature(events)),
                "bus": In(
                    csr.Signature(addr_width=TAGGING_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
                ),
            }
        )
        self.bus.memory_map = self._decoder.bus.memory_map

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.shared = shared = self._shared
        m.submodules.decoder = self._decoder
        connect(m, flipped(self.bus), self._decoder.bus)
        m.d.comb += [
            shared.pulser.eq(self.pulser),
            self.pulser_run.eq(shared.pulser_run),
            self.calibrate.eq(shared.calibrate),
        ]
        for channel, unit in self._units.items():
            self._add(m, channel, unit)
        return m

    def _add(self, m: Module, channel: Channel, unit: TaggerUnit) -> None:
        """Put one channel between its input and its events."""
        name, shared = channel.name.lower(), self._shared
        m.submodules[name] = unit
        m.submodules[f"sampled_{name}"] = sampled = SampledTagger()
        connect(m, sampled.events, unit.sampled)
        connect(m, unit.events, flipped(getattr(self.events, name)))
        if "pictures" in unit.signature.members:
            m.d.comb += [
                picture.eq(self.pictures[f"{name}_{line}"])
                for line, picture in enumerate(unit.pictures)
            ]
        m.d.comb += [
            sampled.samples.eq(self.samples[name]),
            sampled.cycle.eq(self.cycle),
            unit.cycle.eq(self.cycle),
            unit.enable.eq(self.enable[channel]),
            unit.snapshot.eq(self.snapshot),
            shared.found[channel].eq(unit.found),
            shared.falls[channel].eq(unit.falls),
            shared.codes[channel].eq(unit.code),
            shared.rate_alarm[channel].eq(unit.rate_alarm),
        ]
