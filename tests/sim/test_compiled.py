import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam_sim.compiled import CompiledBlock


class Accumulator(wiring.Component):
    """Sum of what came, with a port inside a port."""

    more: In(8)
    total: Out(16)
    copy: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        late = Signal(8)
        m.d.sync += [self.total.eq(self.total + self.more), late.eq(self.more)]
        m.d.comb += [self.copy.payload.eq(late), self.copy.valid.eq(self.copy.ready)]
        return m


class Wide(wiring.Component):
    port: In(65)

    def elaborate(self, platform):
        return Module()


def test_a_compiled_block_gives_what_the_gateware_gives_every_cycle():
    rng = np.random.default_rng(3)
    more, ready = rng.integers(0, 256, 1000), rng.integers(0, 2, 1000)
    found = CompiledBlock(Accumulator()).run(
        1000, {"more": more, "copy__ready": ready}, ["total", "copy__payload", "copy__valid"]
    )
    assert np.array_equal(found["total"], np.concatenate([[0], np.cumsum(more)[:-1]]) % (1 << 16))
    assert np.array_equal(found["copy__payload"], np.concatenate([[0], more[:-1]]))
    assert np.array_equal(found["copy__valid"], ready)


def test_unknown_ports_and_ports_that_are_too_wide_are_refused():
    with pytest.raises(ValueError, match="port port has 65 bits"):
        CompiledBlock(Wide())
    with pytest.raises(ValueError, match="no such ports: nothing"):
        CompiledBlock(Accumulator()).run(1, {"nothing": 1}, [])
