"""Registers of the time-tagger: of each channel, and those that all channels share."""

from amaranth.hdl import unsigned

from keybeam.protocol.records import Channel
from keybeam.protocol.tagger import (
    DEAD_TIME_BITS,
    DELAY_BITS,
    DELAY_LINE_TAPS,
    DIVIDER_BITS,
    HISTOGRAM_COUNT_BITS,
    LEAD_BITS,
    MOST_LINES,
    OFFSET_BITS,
    RATE_WINDOW_BITS,
    table_entries,
)
from keybeam_gateware.line.registers import counter_register
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

__all__ = [
    "CHANNEL_ADDRESS_BITS",
    "CHANNEL_COUNTERS",
    "SHARED_ADDRESS_BITS",
    "ChannelRegisters",
    "SharedRegisters",
]

CHANNEL_ADDRESS_BITS = 5
"""Width of the address of a channel's registers, in words of the bus."""

SHARED_ADDRESS_BITS = 4
"""Width of the address of the registers that all channels share."""

_CODE_BITS = (table_entries(MOST_LINES) - 1).bit_length()


class Edges(csr.Register, access="rw"):
    """Edges that the channel looks for.

    rising : Rising edges.
    falling : Falling edges; the sampled input has none.
    """

    rising: csr.Field(csr.action.RW, 1, init=1)
    falling: csr.Field(csr.action.RW, 1)


class Delay(csr.Register, access="rw"):
    """Delay that is added to every time, before everything else.

    Change it only while the channel is disabled.

    steps : Fine steps of 6.4 ns / 2^14 = 0.390625 ps, in two's complement: ±3.2 µs.
    """

    steps: csr.Field(csr.action.RW, unsigned(DELAY_BITS))


class DeadTime(csr.Register, access="rw"):
    """Dead time of the channel.

    steps : Fine steps of 0.390625 ps after an edge in which others are left out: up to 13.1 µs.
    """

    steps: csr.Field(csr.action.RW, unsigned(DEAD_TIME_BITS))


class Divider(csr.Register, access="rw"):
    """Divider of the edges that the dead time left.

    ratio : Edges for one event; 0 works as 1.
    """

    ratio: csr.Field(csr.action.RW, unsigned(DIVIDER_BITS), init=1)


class RateLimit(csr.Register, access="rw"):
    """Threshold of the alarm of the channel's rate.

    edges : Most edges in 2^20 cycles (6.7 ms) without alarm; 0 for no alarm.
    """

    edges: csr.Field(csr.action.RW, unsigned(RATE_WINDOW_BITS + 1))


class Rate(csr.Register, access="r"):
    """Rate of the channel, before dead time and divider.

    edges : Edges in the last whole 2^20 cycles (6.7 ms).
    """

    edges: csr.Field(csr.action.R, unsigned(RATE_WINDOW_BITS + 1))


class Comparison(csr.Register, access="rw"):
    """Comparison of the delay line with the sampled input, while only rising edges are chosen.

    offset : Slots of 1.6 ns by which the sampled input is behind, in two's complement.
    """

    offset: csr.Field(csr.action.RW, unsigned(OFFSET_BITS))


class Table(csr.Register, access="w"):
    """Sets an entry of the calibration table; every write sets one.

    lead : Time of the edge in fine steps after the clock edge two cycles before its picture.
    code : Code of the edge.
    falling : 1 in the half of the table for falling edges.
    """

    lead: csr.Field(csr.action.W, unsigned(LEAD_BITS))
    code: csr.Field(csr.action.W, unsigned(_CODE_BITS))
    falling: csr.Field(csr.action.W, 1)


CHANNEL_COUNTERS = {
    "edges": ("Edges with a time (= events + dead + divided)", 48),
    "dead": ("Edges left out in the dead time", 48),
    "divided": ("Edges left out by the divider", 48),
    "unconfirmed": ("Edges of the delay line that the sampled input did not show", 32),
    "missed": ("Edges of the sampled input that the delay line did not show", 32),
}
"""Counters of a channel, taken by the receiver's `snapshot`: what they count, and their bits."""


class ChannelRegisters:
    """The registers of a channel, and the bridge to the bus.

    Attributes
    ----------
    counters : dict of str to csr.Register
        By the names in `CHANNEL_COUNTERS`.
    bridge : csr.Bridge
        Decoder with the bus and the memory map.
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=CHANNEL_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self.edges = builder.add("edges", Edges())
        self.delay = builder.add("delay", Delay())
        self.dead_time = builder.add("dead_time", DeadTime())
        self.divider = builder.add("divider", Divider())
        self.rate_limit = builder.add("rate_limit", RateLimit())
        self.rate = builder.add("rate", Rate())
        self.comparison = builder.add("comparison", Comparison())
        self.table = builder.add("table", Table())
        self.counters = {
            name: builder.add(f"{name}_count", counter_register(meaning, width))
            for name, (meaning, width) in CHANNEL_COUNTERS.items()
        }
        self.bridge = csr.Bridge(builder.as_memory_map())


class Lines(csr.Register, access="r"):
    """What the channels were built with.

    detectors : Delay lines of each detector's channel; 0: edges are timed by the sampled inputs.
    others : Delay lines of each other channel.
    taps : Taps of a line.
    """

    detectors: csr.Field(csr.action.R, range(MOST_LINES + 1))
    others: csr.Field(csr.action.R, range(MOST_LINES + 1))
    taps: csr.Field(csr.action.R, range(DELAY_LINE_TAPS + 1))


class Pulser(csr.Register, access="rw"):
    """The ring oscillator, whose pulses are independent of the clock.

    run : Lets the ring oscillate.
    channels : Channels whose delay lines see its pulses in the place of their input, one bit each
        as in `receiver.channels.enable`.
    """

    run: csr.Field(csr.action.RW, 1)
    channels: csr.Field(csr.action.RW, len(Channel))


class PulserRate(csr.Register, access="r"):
    """Frequency of the ring oscillator, by which a drift of all delays is followed.

    pulses : Pulses of the ring in the last whole 2^20 cycles (6.7 ms).
    """

    pulses: csr.Field(csr.action.R, unsigned(RATE_WINDOW_BITS + 1))


class Histogram(csr.Register, access="rw"):
    """Code-density histogram of a channel.

    channel : Number of the channel whose codes are counted, enabled or not.
    run : Codes are counted.
    """

    channel: csr.Field(csr.action.RW, range(len(Channel)))
    run: csr.Field(csr.action.RW, 1)


class HistogramClear(csr.Register, access="w"):
    """Sets all counts of the histogram to zero.

    start : Write 1 to start, while it does not run.
    """

    start: csr.Field(csr.action.W, 1)


class HistogramStatus(csr.Register, access="r"):
    """What the histogram does.

    busy : Counts are being set to zero, or an edge is being counted.
    """

    busy: csr.Field(csr.action.R, 1)


class HistogramCode(csr.Register, access="w"):
    """Chooses the code whose count is read next; each reading of a count moves it on by one.

    code : Code of an edge.
    falling : 1 for falling edges.
    """

    code: csr.Field(csr.action.W, unsigned(_CODE_BITS))
    falling: csr.Field(csr.action.W, 1)


class HistogramCount(csr.Register, access="r"):
    """Count of the code chosen, while the histogram neither runs nor is busy.

    count : How often the code came; it stops at its largest value.
    """

    count: csr.Field(csr.action.R, unsigned(HISTOGRAM_COUNT_BITS))


class Alarms(csr.Register, access="rw"):
    """Alarms since they were last cleared; writing 1 to a bit clears it, and so does reset.

    rate : Channels that had more edges than their limit, one bit each as in
        `receiver.channels.enable`.
    """

    rate: csr.Field(csr.action.RW1C, len(Channel))


class SharedRegisters:
    """The registers that all channels share, and the bridge to the bus.

    Attributes
    ----------
    bridge : csr.Bridge
        Decoder with the bus and the memory map.
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=SHARED_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self.lines = builder.add("lines", Lines())
        self.pulser = builder.add("pulser", Pulser())
        self.pulser_rate = builder.add("pulser_rate", PulserRate())
        self.histogram = builder.add("histogram", Histogram())
        self.histogram_clear = builder.add("histogram_clear", HistogramClear())
        self.histogram_status = builder.add("histogram_status", HistogramStatus())
        self.histogram_code = builder.add("histogram_code", HistogramCode())
        self.histogram_count = builder.add("histogram_count", HistogramCount())
        self.alarms = builder.add("alarms", Alarms())
        self.bridge = csr.Bridge(builder.as_memory_map())
