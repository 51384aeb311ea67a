"""From records of a made-up receiver board to the clicks that are sifted."""

import numpy as np
import pytest
from session_records import FRAME_STEPS, RecordedBoard, stream

from keybeam.device import RecordLoss
from keybeam.protocol.numbers import FRAME_SLOTS, PULSE_RATE_HZ
from keybeam.protocol.records import RecordType, pack_records, record_time, record_type
from keybeam.session import SessionError
from keybeam.session.click_source import ClickSource
from keybeam.timing import CLICK_DTYPE, PULSE_DTYPE, PulseIndexer, align


def read_all(source):
    clicks = [np.empty(0, PULSE_DTYPE)]
    for _ in range(10_000):
        part = source.read()
        if part is None:
            return np.concatenate(clicks)
        clicks.append(part)
    raise AssertionError("the pass does not end")


def some_clicks(count, frames):
    generator = np.random.default_rng(2)
    index = np.sort(generator.choice(frames * FRAME_SLOTS, count, replace=False))
    return index, generator.integers(0, 4, count)


@pytest.mark.parametrize("parts", [1, 7, 500])
def test_every_click_of_the_running_frames_comes_out_once(parts):
    index, channel = some_clicks(9000, 400)
    records = stream(index, channel, frames=500, running=400, offset_ps=300.0, jitter_ps=100.0)
    source = ClickSource(RecordedBoard(np.array_split(records, parts)), PulseIndexer(), seed=1)
    clicks = read_all(source)
    gated = np.isin(index, clicks["index"])
    assert np.array_equal(clicks["index"], index[gated])
    assert np.array_equal(clicks["channel"], channel[gated])
    # The offset is found: what a gate of ±400 ps cuts from a Gaussian of 100 ps is nothing.
    assert np.count_nonzero(~gated) <= 3
    assert (source.detections, source.clicks) == (9000, 9000)
    assert source.gated == source.resolved == clicks.size
    assert sum(source.rates.clicks) == source.clicks
    assert sum(source.rates.gated) == source.gated


@pytest.mark.parametrize("frames", [1, 7, 10_000])
def test_clicks_do_not_depend_on_how_many_frames_are_placed_together(monkeypatch, frames):
    """Double clicks on the border of two pieces included: every pulse has two detections."""
    monkeypatch.setattr("keybeam.timing.indexing._LARGEST_PIECE", frames)
    index, channel = some_clicks(9000, 400)
    index[::2] = index[::2] // FRAME_SLOTS * FRAME_SLOTS + FRAME_SLOTS - 1
    index, places = np.unique(index, return_index=True)
    both = np.repeat(index, 2)
    channel = np.repeat(channel[places], 2)
    records = stream(both, channel, frames=500, running=400)
    source = ClickSource(RecordedBoard(np.array_split(records, 9)), PulseIndexer(), seed=1)
    clicks = read_all(source)
    assert np.array_equal(clicks["index"], index)
    assert np.array_equal(clicks["channel"], channel[::2])
    assert (source.clicks, source.resolved) == (both.size, index.size)


def test_the_pass_ends_when_the_link_is_lost():
    index, channel = some_clicks(100, 190)
    records = stream(index, channel, frames=200, running=200, silence_s=20)
    source = ClickSource(RecordedBoard(np.array_split(records, 20)), PulseIndexer(), seed=1)
    assert np.array_equal(read_all(source)["index"], index)


def test_records_that_end_give_what_is_left():
    index, channel = some_clicks(9000, 400)
    parts = np.array_split(stream(index, channel, frames=400, running=400), 7)
    source = ClickSource(RecordedBoard(parts), PulseIndexer(), seed=1)
    clicks = [source.read() for _ in parts]
    before = sum(part.size for part in clicks)
    clicks.append(source.finish())
    # All but those after the last sync word.
    expected = index[index < 399 * FRAME_SLOTS]
    assert np.array_equal(np.concatenate(clicks)["index"], expected)
    assert before < expected.size
    assert source.finish().size == 0
    assert source.read() is None


def test_the_pass_ends_after_its_duration():
    index, channel = some_clicks(9000, 400)
    records = stream(index, channel, frames=500, running=500)
    duration = 200 * FRAME_SLOTS / PULSE_RATE_HZ
    board = RecordedBoard(np.array_split(records, 50))
    source = ClickSource(board, PulseIndexer(), duration, seed=1)
    assert np.array_equal(read_all(source)["index"], index[index < 200 * FRAME_SLOTS])


def test_double_clicks_are_resolved_across_reads():
    index, channel = some_clicks(3000, 190)
    both = np.repeat(index, 2)
    other = np.stack((channel, channel ^ 1), axis=1).reshape(-1)
    records = stream(both, other, frames=250, running=200)
    parts = [records[place : place + 1] for place in range(400)] + [records[400:]]
    source = ClickSource(RecordedBoard(parts), PulseIndexer(), seed=1)
    clicks = read_all(source)
    assert np.array_equal(clicks["index"], index)
    assert np.array_equal(clicks["channel"] >> 1, channel >> 1)
    assert 0.4 < np.mean(clicks["channel"] & 1) < 0.6
    assert (source.gated, source.resolved) == (6000, 3000)


def test_lost_records_are_counted_and_not_bridged():
    index, channel = some_clicks(5000, 400)
    records = stream(index, channel, frames=500, running=400)
    lost = slice(records.size // 3, records.size // 3 + 700)
    parts = [records[: lost.start], RecordLoss(700), records[lost.stop :]]
    source = ClickSource(RecordedBoard(parts), PulseIndexer(), seed=1)
    clicks = read_all(source)
    assert source.lost_records == 700
    assert np.isin(clicks["index"], index).all()
    assert 4000 < clicks.size < 5000


def test_a_restart_of_the_board_is_counted_as_such_and_does_not_end_the_pass():
    index, channel = some_clicks(9000, 400)
    early, late = index < 190 * FRAME_SLOTS, index >= 210 * FRAME_SLOTS
    before = stream(index[early], channel[early], frames=190, running=400)
    # Its time begins anew, while the frames go on; it sends something before any frame.
    after = stream(index[late], channel[late], frames=500, running=400)
    after = after[np.searchsorted(record_time(after), 1000 + 210 * FRAME_STEPS) :]
    types = record_type(after)
    timed = types != RecordType.FRAME
    after[timed] -= np.uint64(1000 + 210 * FRAME_STEPS)
    opened = pack_records(RecordType.GAP_BEGIN, 2, int(record_time(before[-1:])[0]))
    first = pack_records(RecordType.EPOCH, 0, 0).reshape(1)
    parts = [np.append(before, opened), RecordLoss(None), after[:0], first, after]
    source = ClickSource(RecordedBoard(parts), PulseIndexer(), seed=1)
    clicks = read_all(source)
    assert (source.restarts, source.lost_records) == (1, 0)
    # The frames at either side of the restart have no second sync word.
    inside = early & (index < 189 * FRAME_SLOTS) | late & (index < 400 * FRAME_SLOTS)
    assert np.array_equal(clicks["index"], index[inside])


def test_a_board_that_says_nothing_is_given_up(monkeypatch):
    source = ClickSource(RecordedBoard([]), PulseIndexer(), seed=1)
    assert source.read().size == 0
    monkeypatch.setattr("keybeam.session.click_source._SILENT_BOARD_S", -1.0)
    with pytest.raises(SessionError, match="nothing"):
        source.read()


def test_aligning_moves_clicks_across_slots():
    clicks = np.zeros(3, CLICK_DTYPE)
    clicks["index"] = [10, 20, 30]
    clicks["phase_ps"] = [-700, 0, 700]
    assert align(clicks, 300)["index"].tolist() == [9, 20, 30]
    assert align(clicks, 300)["phase_ps"].tolist() == [600, -300, 400]
    assert align(clicks, -300)["index"].tolist() == [10, 20, 31]
    assert align(clicks, -300)["phase_ps"].tolist() == [-400, 300, -600]
