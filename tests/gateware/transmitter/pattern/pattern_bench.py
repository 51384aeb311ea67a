"""The pattern with its time base, and all that happens in a cycle in one signal."""

from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam_gateware.soc import csr
from keybeam_gateware.transmitter.layouts import LANES_LAYOUT, SENT_LAYOUT, TIME_LAYOUT
from keybeam_gateware.transmitter.pattern import Pattern
from keybeam_gateware.transmitter.timebase import Timebase

FRAME_CYCLES = 64


def trace_layout(random_bits):
    """What a cycle's entry of the trace holds."""
    return data.StructLayout(
        {
            "time": TIME_LAYOUT,
            "word": 4 * random_bits,
            "valid": 1,
            "taken": 1,
            "live": 1,
            "fault": 1,
            "sent": SENT_LAYOUT,
            "blanked": 1,
            "mode": 3,
            "not_key": 1,
            "lanes": LANES_LAYOUT,
            "serial": 16,
            "marker": 4,
        }
    )


class PatternBench(wiring.Component):
    """Pattern and time base, with short frames."""

    def __init__(self, random_bits):
        self.layout = trace_layout(random_bits)
        self._pattern = Pattern(random_bits=random_bits, frame_cycles=FRAME_CYCLES)
        map_ = self._pattern.bus.memory_map
        super().__init__(
            {
                "run": In(1),
                "start_counter": In(48),
                "random": In(stream.Signature(4 * random_bits)),
                "live": In(1),
                "fault": In(1),
                "entry": Out(self.layout.size),
                "bus": In(csr.Signature(addr_width=map_.addr_width, data_width=map_.data_width)),
            }
        )
        self.bus.memory_map = map_

    def elaborate(self, platform):
        m = Module()
        m.submodules.timebase = timebase = Timebase(FRAME_CYCLES)
        m.submodules.pattern = pattern = self._pattern
        connect(m, pattern.start, timebase.start)
        connect(m, flipped(self.bus), pattern.bus)
        connect(m, flipped(self.random), pattern.random)
        trace = data.View(self.layout, self.entry)
        m.d.comb += [
            timebase.run.eq(self.run),
            timebase.start_counter.eq(self.start_counter),
            pattern.time.eq(timebase.time),
            pattern.live.eq(self.live),
            pattern.fault.eq(self.fault),
            trace.time.eq(timebase.time),
            trace.word.eq(self.random.payload),
            trace.valid.eq(self.random.valid),
            trace.taken.eq(self.random.valid & self.random.ready),
            trace.live.eq(self.live),
            trace.fault.eq(self.fault),
            trace.sent.eq(pattern.sent),
            trace.blanked.eq(pattern.blanked),
            trace.mode.eq(pattern.mode),
            trace.not_key.eq(pattern.not_key),
            trace.lanes.eq(pattern.lanes),
            trace.serial.eq(pattern.serial),
            trace.marker.eq(pattern.marker),
        ]
        return m


def fields(layout, prefix="", offset=0):
    """Offset and width of every field of a layout, by name."""
    found = {}
    for name, field in layout:
        place = offset + field.offset
        if isinstance(field.shape, data.StructLayout):
            found |= fields(field.shape, f"{prefix}{name}_", place)
            found[prefix + name] = (place, field.shape.size)
        else:
            found[prefix + name] = (place, field.width)
    return found
