import numpy as np
import pytest

from keybeam.protocol.lanes import FINE_DELAY_STEP_PS
from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOT_PS
from keybeam_gateware.transmitter import LANES_LAYOUT
from keybeam_sim.cosimulation import LinkSettings
from keybeam_sim.cosimulation.blocks import AUXILIARY_SHIFTS, DETECTORS_SHIFT
from keybeam_sim.cosimulation.host_link import HostLink
from keybeam_sim.cosimulation.link_model import LinkModel
from keybeam_sim.cosimulation.named_faults import NAMED_FAULTS
from keybeam_sim.cosimulation.settings import (
    LEAD_DELAY_PS,
    BoardSettings,
    HostLinkSettings,
    LeadSettings,
    RunSettings,
)

CHUNK = 256
CYCLES = 6000


def carry(leads, lane, fine_steps=0, **link):
    """Send a pulse every other cycle; rising edges at each auxiliary input, in ps."""
    model = LinkModel(LinkSettings(loss_db=200, leads=leads, **link))
    words = np.zeros(CYCLES, np.uint32)
    words[::2] = LANES_LAYOUT.const({f"lane_{lane}": 0xF}).as_value().value
    register = fine_steps << 7 * lane
    model.transmit(words[:CHUNK], register)
    seen = []
    for start in range(CHUNK, CYCLES, CHUNK):
        model.transmit(words[start : start + CHUNK], register)
        seen.append(model.receive(CHUNK))
    seen = np.concatenate(seen)
    rises = []
    for shift in AUXILIARY_SHIFTS:
        levels = (seen[:, None] >> (np.arange(4, dtype=np.uint32) + np.uint32(shift)) & 1).ravel()
        rises.append(np.flatnonzero(np.diff(levels.astype(int)) == 1) + 1)
    return [places * SLOT_PS for places in rises]


@pytest.mark.parametrize("lane", range(5))
def test_each_lane_comes_out_of_its_own_lead_after_its_delay(lane):
    skews = (0, 3_000, 5_000, -4_000, 9_000)
    rises = carry(LeadSettings(skews_ps=skews, jitter_ps=0.0), lane, fine_steps=100)
    assert rises[1 - lane % 2].size == 0
    delay = LEAD_DELAY_PS + skews[lane] + 100 * FINE_DELAY_STEP_PS
    first = -(-delay // SLOT_PS) * SLOT_PS
    period = 2 * FABRIC_PERIOD_PS
    assert np.all((rises[lane % 2] - first) % period == 0)
    assert rises[lane % 2].size > CYCLES // 2 - 3 * CHUNK - LEAD_DELAY_PS // period


def test_a_dead_lead_is_silent_and_swapped_ones_end_at_each_others_inputs():
    assert all(places.size == 0 for places in carry(LeadSettings(dead_lane=3), 3))
    even, odd = carry(LeadSettings(swapped=(1, 4)), 1)
    assert even.size > 0
    assert odd.size == 0


def test_without_leads_the_auxiliary_inputs_are_silent():
    assert all(places.size == 0 for places in carry(None, 0))


def test_jitter_shows_in_the_samples():
    places = carry(LeadSettings(skews_ps=(800, 0, 0, 0, 0), jitter_ps=800.0), 0)[0]
    assert np.unique(places % (2 * FABRIC_PERIOD_PS)).size > 1


def clicks(**link):
    """Rising edges of detector H in the dark, in ps."""
    model = LinkModel(LinkSettings(loss_db=200, **link))
    cycles = 400_000
    model.transmit(np.zeros(cycles, np.uint32))
    seen = np.concatenate([model.receive(4000) for _ in range(cycles // 4000 - 1)])
    place = np.arange(4, dtype=np.uint32) + np.uint32(DETECTORS_SHIFT)
    levels = (seen[:, None] >> place & 1).ravel().astype(int)
    return (np.flatnonzero(np.diff(levels) == 1) + 1) * SLOT_PS


def test_afterpulses_follow_clicks_after_the_dead_time():
    without, with_some = (
        clicks(background_hz=2e5, afterpulse_probability=part, seed=3) for part in (0.0, 0.2)
    )
    counts = []
    for times in (without, with_some):
        gaps = np.diff(times)
        assert gaps.min() >= 30_000 - SLOT_PS
        counts.append(np.count_nonzero(gaps < 30_000 + 4 * 50_000))
    # By chance 4 % come within 200 ns; afterpulses add 20 % of which 2 % are later.
    total = without.size
    assert counts[0] == pytest.approx(0.04 * total, abs=4 * np.sqrt(0.04 * total) + 2)
    assert counts[1] - counts[0] == pytest.approx(0.23 * total, rel=0.35)


def test_one_noisy_and_one_dead_detector():
    run = RunSettings(link=LinkSettings(loss_db=200), boards=BoardSettings())
    noisy = NAMED_FAULTS["detector-noisy"].add_to(run).link
    model = LinkModel(noisy)
    model.transmit(np.zeros(60_000, np.uint32))
    seen = np.bitwise_or.reduce(np.concatenate([model.receive(4000) for _ in range(13)]))
    high = [bool(seen >> DETECTORS_SHIFT + 4 * detector & 0xF) for detector in range(4)]
    assert high == [False, True, False, False]
    dead = NAMED_FAULTS["detector-dead"].add_to(
        RunSettings(link=LinkSettings(background_hz=1e6), boards=BoardSettings())
    )
    model = LinkModel(dead.link)
    model.transmit(np.zeros(60_000, np.uint32))
    seen = np.bitwise_or.reduce(np.concatenate([model.receive(4000) for _ in range(13)]))
    high = [bool(seen >> DETECTORS_SHIFT + 4 * detector & 0xF) for detector in range(4)]
    assert high == [True, True, False, True]


@pytest.mark.parametrize("name", NAMED_FAULTS)
def test_every_named_fault_changes_the_run(name):
    run = RunSettings(link=LinkSettings(), boards=BoardSettings())
    assert NAMED_FAULTS[name].add_to(run) != run


def test_a_noisy_cable_changes_bytes_at_its_rate():
    cable = HostLink(HostLinkSettings(byte_error_rate=0.01), 1, other_revision=False)
    sent = bytes(100_000)
    got = np.frombuffer(cable.to_board(sent), np.uint8)
    assert np.count_nonzero(got) == pytest.approx(1000, abs=150)
    clean = HostLink(HostLinkSettings(), 1, other_revision=False)
    assert clean.to_host(sent) == sent
