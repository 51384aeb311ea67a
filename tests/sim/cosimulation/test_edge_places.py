"""Places of edges in their slots, as the link tells them to what stands before the delay lines."""

import numpy as np
import pytest

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOTS_PER_CYCLE
from keybeam.protocol.records import Channel
from keybeam_gateware.transmitter import LANES_LAYOUT
from keybeam_sim.cosimulation import LinkSettings
from keybeam_sim.cosimulation.blocks import AUXILIARY_SHIFTS, DETECTORS_SHIFT, LINE_SHIFT
from keybeam_sim.cosimulation.edge_places import PLACE_INPUTS, PLACES
from keybeam_sim.cosimulation.link_model import LinkModel, receiver_period_fs
from keybeam_sim.cosimulation.settings import LEAD_DELAY_PS, LeadSettings
from keybeam_sim.cosimulation.truth import TruthRecorder

CHUNK = 256
CYCLES = 12_000
SETTINGS = {"delay_ps": 20_000_000, "clock_offset_ppm": 37.0, "seed": 5}


def edges_of(words, model, channel, shift):
    """Times of an input's rising edges in picoseconds, by samples and places."""
    first, samples, places = SLOTS_PER_CYCLE * PLACE_INPUTS.index(channel), [], []
    model.transmit(words[:CHUNK])
    for start in range(CHUNK, CYCLES, CHUNK):
        model.transmit(words[start : start + CHUNK])
        told = model.places(CHUNK)
        samples.append(model.receive(CHUNK, told))
        places.append(told.words[:, first : first + SLOTS_PER_CYCLE].ravel())
    bits = np.arange(SLOTS_PER_CYCLE, dtype=np.uint32) + np.uint32(shift)
    levels = (np.concatenate(samples)[:, None] >> bits & 1).ravel().astype(int)
    rises = np.flatnonzero(np.diff(levels) == 1) + 1
    slot_ps = receiver_period_fs(LinkSettings(**SETTINGS)) / 1000 / SLOTS_PER_CYCLE
    there = np.concatenate(places)[rises]
    return (rises - 1 + (there + 0.5) / PLACES) * slot_ps


def link(truth=None, **settings):
    """A link of long delay between clocks that differ."""
    return LinkModel(LinkSettings(**SETTINGS, **settings), truth=truth)


def test_an_edge_of_the_downlink_stands_where_a_bit_began():
    words = np.zeros(CYCLES, np.uint32)
    words[::3] = 1 << LINE_SHIFT
    found = edges_of(words, link(loss_db=200), Channel.LINE, 0)
    assert found.size > 2000
    off = (found - SETTINGS["delay_ps"]) % (3 * FABRIC_PERIOD_PS)
    off = (off + FABRIC_PERIOD_PS) % (3 * FABRIC_PERIOD_PS) - FABRIC_PERIOD_PS
    assert np.abs(off).max() <= 4


def test_an_edge_of_a_lead_stands_where_its_lane_s_delay_puts_it():
    words = np.zeros(CYCLES, np.uint32)
    words[::2] = LANES_LAYOUT.const({"lane_1": 0x3}).as_value().value
    leads = LeadSettings(skews_ps=(0, 1234, 0, 0, 0), jitter_ps=0.0)
    found = edges_of(words, link(loss_db=200, leads=leads), Channel.AUX_2, AUXILIARY_SHIFTS[1])
    assert found.size > 4000
    period = 2 * FABRIC_PERIOD_PS
    off = (found - LEAD_DELAY_PS - 1234 + period / 2) % period - period / 2
    assert np.abs(off).max() <= 4


def test_an_edge_of_a_detector_stands_where_it_clicked():
    recorder = TruthRecorder()
    model = link(recorder, loss_db=200, background_hz=3e6)
    words = np.zeros(CYCLES, np.uint32)
    found = edges_of(words, model, Channel.V, DETECTORS_SHIFT + SLOTS_PER_CYCLE)
    clicks = recorder.finish().clicks
    true = clicks["time_fs"][clicks["channel"] == Channel.V] / 1000
    assert found.size > 100
    assert found == pytest.approx(true[: found.size], abs=4)
