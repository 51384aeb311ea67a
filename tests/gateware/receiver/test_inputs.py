from pathlib import Path

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import COARSE_BITS, SAMPLED_FINE_STEP
from keybeam_gateware.line.data_recovery import DataRecovery, recovered_bits
from keybeam_gateware.receiver.events import EventSignature
from keybeam_gateware.receiver.tagger import SampledTagger
from keybeam_sim.simulators import emit_verilog, run_cocotb

HERE = Path(__file__).parent
SETTLE = 150
"""Bits after which the data recovery has found its phase."""


class Inputs(wiring.Component):
    """The blocks behind the receiver's pins.

    Members
    -------
    line, samples : In(4)
        Samples of the downlink and of a detector.
    cycle : In(40)
        Number of the cycle.
    recovered : Out(recovered_bits())
        Line bits.
    events : Out(EventSignature())
        Edges of the detector.
    """

    line: In(4)
    samples: In(4)
    cycle: In(COARSE_BITS)
    recovered: Out(recovered_bits())
    events: Out(EventSignature())

    def elaborate(self, platform):
        m = Module()
        m.submodules.recovery = recovery = DataRecovery()
        m.submodules.tagger = tagger = SampledTagger()
        connect(m, recovery.recovered, flipped(self.recovered))
        connect(m, tagger.events, flipped(self.events))
        m.d.comb += [
            recovery.line.eq(self.line),
            recovery.cycle.eq(self.cycle),
            recovery.threshold.eq(8),
            tagger.samples.eq(self.samples),
            tagger.cycle.eq(self.cycle),
        ]
        return m


def test_emitted_blocks_behind_the_pins(bench, simulator, tmp_path):
    rng = np.random.default_rng(21)
    sent = rng.integers(0, 2, 1000)
    # A strong offset, so that the phase goes over the borders of cycles soon.
    line, first = bench.sample_line(sent, offset=2e-3, start=1.3, jitter=0.1, rng=rng)
    samples = np.zeros(4 * len(line), int)
    begins = np.cumsum(rng.integers(9, 60, 90))
    begins = begins[begins < samples.size - 60]
    for begin, width in zip(begins, rng.integers(1, 8, begins.size), strict=True):
        samples[begin : begin + width] = 1
    stimulus, result = tmp_path / "stimulus.npz", tmp_path / "found.npz"
    np.savez(stimulus, line=line, samples=samples.reshape(-1, 4) @ (1 << np.arange(4)))
    run_cocotb(
        sources=[emit_verilog(Inputs(), "inputs", tmp_path / "inputs.v")],
        toplevel="inputs",
        test_module="cocotb_inputs",
        test_folder=HERE,
        folder=tmp_path / simulator,
        simulator=simulator,
        environment={"KEYBEAM_STIMULUS": str(stimulus), "KEYBEAM_FOUND": str(result)},
    )
    found = np.load(result)
    assert np.array_equal(found["times"], begins * SAMPLED_FINE_STEP)
    bits = found["bits"][SETTLE:]
    matches = [
        place for place in range(SETTLE + 20) if np.array_equal(sent[place:][: bits.size], bits)
    ]
    assert len(matches) == 1
    assert bits.size > 800
    place = matches[0]
    edge = np.flatnonzero(np.diff(sent[place - 1 : place + bits.size]))
    expected = first[place : place + bits.size] % 16
    assert np.array_equal(found["starts"][SETTLE:][edge], expected[edge])
