import numpy as np
import pytest

from keybeam.protocol.downlink import DownlinkFrame, FrameFlag, encode_frame
from keybeam.protocol.numbers import FABRIC_PERIOD_PS, FRAME_SLOTS
from keybeam.protocol.symbols import INTENSITY_MEAN_PHOTONS, Intensity, Polarisation
from keybeam_gateware.transmitter import LANES_LAYOUT
from keybeam_sim.cosimulation import NO_SLOT, LinkFault, LinkSettings, Truth
from keybeam_sim.cosimulation.blocks import DETECTORS_SHIFT, LINE_SHIFT
from keybeam_sim.cosimulation.link_model import LinkModel
from keybeam_sim.cosimulation.settings import MINIMUM_DELAY_PS
from keybeam_sim.cosimulation.truth import TruthRecorder

CHUNK = 256


def constant_word(intensity, polarisation):
    """A transmitter's word with the same pulse in all four slots."""
    lanes = LANES_LAYOUT.const(
        {
            "lane_0": 0xF,
            "lane_1": 0xF * (intensity & 1),
            "lane_2": 0xF * (intensity >> 1),
            "lane_3": 0xF * (polarisation & 1),
            "lane_4": 0xF * (polarisation >> 1),
        }
    )
    return lanes.as_value().value


def carry(settings, words):
    """Send words, and return what the receiver sees until all have come, with the truth."""
    recorder = TruthRecorder()
    link = LinkModel(settings, truth=recorder)
    behind = -(-settings.delay_ps // FABRIC_PERIOD_PS) + CHUNK
    sent = np.concatenate([words, np.zeros(behind, np.uint32)])
    link.transmit(sent[:CHUNK])
    seen = []
    for start in range(CHUNK, sent.size, CHUNK):
        link.transmit(sent[start : start + CHUNK])
        seen.append(link.receive(CHUNK))
    return np.concatenate(seen), recorder.finish()


def samples(words, shift):
    """Samples of one input, four a word."""
    return (words[:, None] >> (np.arange(4, dtype=np.uint32) + np.uint32(shift)) & 1).ravel()


@pytest.mark.parametrize("polarisation", list(Polarisation))
@pytest.mark.parametrize("intensity", [Intensity.SIGNAL, Intensity.DECOY])
def test_click_counts_follow_intensity_loss_basis_and_misalignment(intensity, polarisation):
    settings = LinkSettings(loss_db=20, misalignment=0.1, dead_time_ps=8000)
    words = np.full(40_000, constant_word(intensity, polarisation), np.uint32)
    _, truth = carry(settings, words)
    photons = INTENSITY_MEAN_PHOTONS[intensity] * 0.01
    share = np.full(4, 0.25)
    share[polarisation], share[polarisation ^ 1] = 0.45, 0.05
    probability = 1 - np.exp(-photons * share)
    # A click blinds its detector for the five pulses that follow (8 ns of 1.6 ns slots).
    expected = words.size * 4 * probability / (1 + 4 * probability)
    counts = np.bincount(truth.clicks["channel"], minlength=4)
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected) + 5)
    assert np.all(truth.clicks["symbol"] == intensity << 2 | polarisation)


def test_no_light_without_trigger():
    word = constant_word(Intensity.SIGNAL, Polarisation.H) & ~0xF
    seen, truth = carry(LinkSettings(loss_db=0), np.full(10_000, word, np.uint32))
    assert truth.clicks.size == 0
    assert not np.any(seen >> DETECTORS_SHIFT)


def test_clicks_stand_at_pulse_time_plus_delay():
    delay = 7_000_300
    word = constant_word(Intensity.SIGNAL, Polarisation.D)
    settings = LinkSettings(loss_db=25, delay_ps=delay, clock_offset_ppm=50)
    seen, truth = carry(settings, np.full(20_000, word, np.uint32))
    assert truth.clicks.size > 100
    period = FABRIC_PERIOD_PS * (1 + 50e-6)
    for click in truth.clicks:
        time = (click["slot"] + 0.5) * 1600 + delay
        assert click["time_fs"] == time * 1000
        # The first of two or three samples is the first one after the pulse.
        assert click["sample"] == int(np.ceil(time / (period / 4)))
        levels = samples(seen, DETECTORS_SHIFT + 4 * click["channel"])
        around = levels[click["sample"] - 1 : click["sample"] + 4].tolist()
        assert around in ([0, 1, 1, 0, 0], [0, 1, 1, 1, 0])


def test_samples_rise_once_for_every_click_of_the_truth():
    words = np.full(30_000, constant_word(Intensity.SIGNAL, Polarisation.H), np.uint32)
    settings = LinkSettings(loss_db=15, jitter_fwhm_ps=500, background_hz=1e6)
    seen, truth = carry(settings, words)
    for channel in range(4):
        levels = samples(seen, DETECTORS_SHIFT + 4 * channel)
        rises = np.flatnonzero(np.diff(levels.astype(int), prepend=0) == 1)
        clicks = np.sort(truth.clicks["sample"][truth.clicks["channel"] == channel])
        assert np.array_equal(rises, clicks[clicks < levels.size])


def test_background_is_what_is_asked_for_and_names_no_pulse():
    rate = 2e6
    words = np.zeros(100_000, np.uint32)
    _, truth = carry(LinkSettings(background_hz=rate, dead_time_ps=8000), words)
    duration = words.size * FABRIC_PERIOD_PS * 1e-12
    expected = 4 * rate * duration / (1 + rate * 8e-9)
    assert abs(truth.clicks.size - expected) < 5 * np.sqrt(expected)
    assert np.all(truth.clicks["slot"] == NO_SLOT)


def test_jitter_has_the_width_that_is_asked_for():
    words = np.full(50_000, constant_word(Intensity.SIGNAL, Polarisation.V), np.uint32)
    settings = LinkSettings(loss_db=20, jitter_fwhm_ps=1000)
    _, truth = carry(settings, words)
    nominal = (truth.clicks["slot"] + 0.5) * 1_600_000 + settings.delay_ps * 1000
    spread = (truth.clicks["time_fs"] - nominal).std() / 1000
    assert truth.clicks.size > 500
    assert spread == pytest.approx(1000 / 2.3548, rel=0.15)


def test_detectors_are_blind_for_their_dead_time():
    words = np.full(5_000, constant_word(Intensity.SIGNAL, Polarisation.A), np.uint32)
    _, truth = carry(LinkSettings(loss_db=0, dead_time_ps=50_000), words)
    for channel in (0, 1, 3):
        times = truth.clicks["time_fs"][truth.clicks["channel"] == channel]
        assert times.size > 100
        assert np.diff(times).min() >= 50_000_000


@pytest.mark.parametrize("offset", [0, 5, -40])
def test_line_bits_arrive_after_the_delay_at_the_receivers_rate(offset):
    delay = 8_000_700
    bits = np.random.default_rng(3).integers(0, 2, 20_000).astype(np.uint32)
    settings = LinkSettings(delay_ps=delay, clock_offset_ppm=offset)
    seen, _ = carry(settings, bits << np.uint32(LINE_SHIFT))
    levels = samples(seen, 0)
    # Middles of the bits, by the receiver's clock.
    middles = (np.arange(bits.size) + 0.5) * FABRIC_PERIOD_PS + delay
    places = (middles / (1600 * (1 + offset * 1e-6))).astype(int)
    inside = places < levels.size
    assert np.count_nonzero(inside) > 19_000
    assert np.array_equal(levels[places[inside]], bits[inside])


def test_line_errors_have_the_rate_that_is_asked_for_and_are_not_in_the_truth():
    bits = np.random.default_rng(3).integers(0, 2, 50_000).astype(np.uint32)
    settings = LinkSettings(line_error_rate=0.02, delay_ps=1000 * FABRIC_PERIOD_PS)
    seen, truth = carry(settings, bits << np.uint32(LINE_SHIFT))
    received = samples(seen, 0)[4000::4][: bits.size]
    wrong = np.count_nonzero(received != bits[: received.size])
    assert abs(wrong - 1000) < 5 * np.sqrt(1000)
    assert np.array_equal(truth.line[: bits.size], bits)


def test_chunks_do_not_change_what_is_received():
    words = np.full(8 * CHUNK, constant_word(Intensity.SIGNAL, Polarisation.H), np.uint32)
    settings = LinkSettings(loss_db=10, delay_ps=4 * CHUNK * FABRIC_PERIOD_PS)
    whole, pieces = LinkModel(settings), LinkModel(settings)
    for link in (whole, pieces):
        link.transmit(words)
    together = whole.receive(8 * CHUNK)
    apart = np.concatenate([pieces.receive(CHUNK // 4) for _ in range(32)])
    assert np.array_equal(together, apart)
    assert np.any(together >> DETECTORS_SHIFT)


def test_light_that_is_not_known_yet_is_refused():
    link = LinkModel(LinkSettings(delay_ps=MINIMUM_DELAY_PS))
    link.transmit(np.zeros(10, np.uint32))
    with pytest.raises(ValueError, match="only 10 are known"):
        link.receive(2000)


@pytest.mark.parametrize(
    "settings",
    [
        {"delay_ps": MINIMUM_DELAY_PS - 1},
        {"loss_db": -1},
        {"misalignment": 1.5},
        {"dead_time_ps": 0},
        {"jitter_fwhm_ps": float("nan")},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        LinkSettings(**settings)


def test_truth_finds_the_frames_and_numbers_the_pulses(tmp_path):
    recorder = TruthRecorder()
    recorder.line(np.random.default_rng(1).integers(0, 2, 100).astype(np.uint8))
    for counter in (5, 6):
        recorder.line(encode_frame(DownlinkFrame(counter, FrameFlag.RUNNING, b"message")))
    recorder.line(np.zeros(500, np.uint8))
    recorder.click(4 * 100 + 7, 1, 2, 0, 0)
    recorder.click(4 * 100 + FRAME_SLOTS + 1, 1, 2, 0, 0)
    recorder.click(NO_SLOT, 0, 0, 0, 0)
    recorder.click(3, 0, 0, 0, 0)
    path = tmp_path / "truth.npz"
    recorder.finish().save(path)
    truth = Truth.load(path)
    assert [(frame.cycle, frame.counter) for frame in truth.frames()] == [(100, 5), (16484, 6)]
    none = np.iinfo(np.uint64).max
    indices = truth.pulse_indices().tolist()
    assert indices == [5 * FRAME_SLOTS + 7, 6 * FRAME_SLOTS + 1, none, none]


def test_faults_last_as_long_as_they_are_told():
    begin, end = 20_000_000, 60_000_000
    times = {"begin_ps": begin, "end_ps": end}
    faults = (
        LinkFault(kind="line cut", **times),
        LinkFault(kind="stuck detector", detector=2, **times),
        LinkFault(kind="burst", rate_hz=5e6, **times),
    )
    words = np.full(20_000, 0xF << LINE_SHIFT, np.uint32)
    seen, truth = carry(LinkSettings(delay_ps=7_000_000, faults=faults), words)
    time = np.arange(4 * seen.size) * FABRIC_PERIOD_PS / 4
    during = (time >= begin) & (time < end)
    line = samples(seen, 0)
    assert not line[during].any()
    assert line[~during & (time > 7_000_000) & (time < 7_000_000 + 20_000 * 6400)].all()
    stuck = samples(seen, DETECTORS_SHIFT + 8)
    assert stuck[during].all()
    assert not stuck[time < begin].any()
    assert not stuck[time > end + 10_000].any()
    assert np.all(truth.clicks["slot"] == NO_SLOT)
    assert np.all(np.abs(truth.clicks["time_fs"] / 1000 - (begin + end) / 2) <= (end - begin) / 2)
    # A click blinds its detector for 30 ns.
    expected = 5e6 * 40e-6 / (1 + 5e6 * 30e-9)
    counts = np.bincount(truth.clicks["channel"], minlength=4)
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))


@pytest.mark.parametrize("wrong", [{"begin_ps": 5, "end_ps": 5}, {"detector": 4}])
def test_faults_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="cannot be such a fault"):
        LinkFault(**{"kind": "line cut", "begin_ps": 0, "end_ps": 9, **wrong})
