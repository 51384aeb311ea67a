import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.protocol.records import (
    FRAME_VALID,
    HORIZON_STEPS,
    SYNC_FLYWHEEL,
    TIME_MODULO,
    Channel,
    RecordType,
    pack_records,
)
from keybeam.timing import Gap, RecordDecoder


def record(kind, channel, body):
    return pack_records(kind, channel, body % (1 << 54))[()]


def frame_body(counter, flags):
    return counter | flags << 48


def array(*records):
    return np.array(records, np.uint64)


# Events of a stream in order of time: (kind, step to the time before, content).
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["tag", "epoch", "sync", "sync without frame", "pps"]),
        st.integers(0, TIME_MODULO // 4),
        st.integers(0, (1 << 48) - 1),
    ),
    max_size=40,
)


def reference(start, events):
    """Records of the events, and what a decoder must find in them."""
    records, tags, syncs, pps = [record(RecordType.EPOCH, 0, start)], [], [], []
    time = start
    for kind, step, content in events:
        time += step
        if kind == "tag":
            records.append(record(RecordType.TAG, content % 4, time))
            tags.append((time, content % 4))
        elif kind == "epoch":
            records.append(record(RecordType.EPOCH, 0, time))
        elif kind == "pps":
            records.append(record(RecordType.PPS, Channel.PPS, time))
            pps.append(time)
        else:
            wheel, valid = content & 1, content >> 1 & 1
            records.append(record(RecordType.SYNC, SYNC_FLYWHEEL * wheel, time))
            framed = kind == "sync"
            if framed:
                body = frame_body(content, content % 8)
                records.append(record(RecordType.FRAME, FRAME_VALID * valid, body))
            known = (content, content % 8) if framed else (0, 0)
            syncs.append((time, *known, framed, bool(framed and valid), bool(wheel), False))
    return array(*records), tags, syncs, pps


@given(st.integers(0, TIME_MODULO - 1), EVENTS, st.lists(st.integers(0, 80), max_size=6))
def test_round_trip_in_any_chunks(start, events, cuts):
    records, tags, syncs, pps = reference(start, events)
    decoder = RecordDecoder()
    cuts = sorted(min(cut, records.size) for cut in cuts)
    chunks = [decoder.feed(part) for part in np.split(records, cuts)] + [decoder.finish()]
    assert [tuple(tag) for chunk in chunks for tag in chunk.tags.tolist()] == tags
    assert [tuple(sync) for chunk in chunks for sync in chunk.syncs.tolist()] == syncs
    assert [time for chunk in chunks for time in chunk.pps.tolist()] == pps
    assert not any(chunk.gaps for chunk in chunks)
    assert decoder.stray == decoder.lost == 0


@given(st.integers(0, TIME_MODULO - 1), EVENTS, st.lists(st.integers(0, 80), max_size=6))
def test_lower_bound_holds(start, events, cuts):
    records, *_ = reference(start, events)
    decoder = RecordDecoder()
    cuts = sorted(min(cut, records.size) for cut in cuts)
    bound = 0
    for part in np.split(records, cuts):
        chunk = decoder.feed(part)
        for times in (chunk.tags["time"], chunk.syncs["time"], chunk.pps):
            assert (times >= bound).all()
        assert chunk.lower_bound >= bound
        bound = chunk.lower_bound


def test_epoch_moves_the_lower_bound():
    decoder = RecordDecoder()
    assert decoder.feed(array(record(RecordType.EPOCH, 0, 5000))).lower_bound == 5000


def test_gap_of_a_channel():
    decoder = RecordDecoder()
    first = decoder.feed(
        array(
            record(RecordType.TAG, 2, 100),
            record(RecordType.GAP_BEGIN, 2, 200),
            record(RecordType.TAG, 1, 250),
        )
    )
    assert first.gaps == ()
    second = decoder.feed(
        array(record(RecordType.EPOCH, 0, 300), record(RecordType.GAP_END, 2, 17))
    )
    # The board does not tell the time of the last lost tag: it is before the next time.
    assert second.gaps == decoder.feed(array()).gaps == ()
    assert decoder.feed(array(record(RecordType.GAP_BEGIN, 1, 350))).gaps == ()
    (gap,) = decoder.feed(array(record(RecordType.TAG, 0, 400))).gaps
    assert gap == Gap(2, 200, 400 + HORIZON_STEPS, 17)
    assert decoder.lost == 17


def test_a_link_that_stood_for_an_hour():
    """What waited comes with its own times, and no EPOCH of the time in between."""
    decoder = RecordDecoder()
    start, stood = TIME_MODULO - 1000, TIME_MODULO // 2 - 1
    decoder.feed(array(record(RecordType.EPOCH, 0, start), record(RecordType.GAP_BEGIN, 1, start)))
    later = start + stood
    chunk = decoder.feed(
        array(
            record(RecordType.GAP_END, 1, 10**9),
            record(RecordType.TAG, 0, later),
            record(RecordType.EPOCH, 0, later + 1),
        )
    )
    assert chunk.tags["time"].tolist() == [later]
    assert chunk.lower_bound == later + 1
    assert chunk.gaps == (Gap(1, start, later + HORIZON_STEPS, 10**9),)


def test_gap_whose_end_no_time_follows():
    decoder = RecordDecoder()
    decoder.feed(array(record(RecordType.GAP_BEGIN, 2, 200), record(RecordType.EPOCH, 0, 300)))
    assert decoder.feed(array(record(RecordType.GAP_END, 2, 5))).gaps == ()
    assert decoder.finish().gaps == (Gap(2, 200, 300, 5),)
    assert decoder.finish().gaps == ()


@given(
    st.integers(0, TIME_MODULO - 1),
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 10**6), st.sampled_from(["kept", "lost", "end"])
        ),
        max_size=60,
    ),
    st.lists(st.integers(0, 130), max_size=6),
    st.integers(0, HORIZON_STEPS - 1),
)
def test_all_lost_tags_lie_in_the_gaps(start, events, cuts, early):
    """A model of the queues, whose marks of ends come up to `HORIZON_STEPS` too early."""
    queues = {channel: [] for channel in range(4)}
    lost, last, open_gaps, time = [], {}, {}, start

    def end_gap(channel):
        count = open_gaps.pop(channel, 0)
        if count:
            # The place in the stream is all that shows of the mark's time.
            queues[channel].append(
                (last[channel] - early, record(RecordType.GAP_END, channel, count))
            )

    for channel, step, what in events:
        time += step + 1
        if what != "lost":
            end_gap(channel)
        if what == "kept":
            queues[channel].append((time, record(RecordType.TAG, channel, time)))
        elif what == "lost":
            if channel not in open_gaps:
                queues[channel].append((time, record(RecordType.GAP_BEGIN, channel, time)))
            open_gaps[channel] = open_gaps.get(channel, 0) + 1
            last[channel] = time
            lost.append((channel, time))
    for channel in range(4):
        end_gap(channel)
    words = [record(RecordType.EPOCH, 0, start)]
    while any(queues.values()):
        earliest = min((queue[0][0], channel) for channel, queue in queues.items() if queue)[1]
        words.append(queues[earliest].pop(0)[1])
    words.append(record(RecordType.EPOCH, 0, time))
    decoder = RecordDecoder()
    cuts = sorted(min(cut, len(words)) for cut in cuts)
    chunks = [decoder.feed(part) for part in np.split(array(*words), cuts)]
    gaps = [gap for chunk in chunks for gap in chunk.gaps]
    assert sum(gap.lost for gap in gaps) == len(lost)
    for channel, time in lost:
        assert any(gap.channel == channel and gap.begin <= time <= gap.end for gap in gaps)


def test_gap_that_never_ended_is_told():
    decoder = RecordDecoder()
    decoder.feed(array(record(RecordType.GAP_BEGIN, 3, 200), record(RecordType.EPOCH, 0, 900)))
    (gap,) = decoder.finish().gaps
    assert (gap.channel, gap.begin, gap.end) == (3, 200, 900)


def test_nothing_joins_across_a_loss_on_the_link():
    decoder = RecordDecoder()
    decoder.feed(array(record(RecordType.SYNC, 0, 100)))
    decoder.lose(30)
    chunk = decoder.feed(
        array(
            record(RecordType.FRAME, FRAME_VALID, frame_body(9, 1)),
            record(RecordType.TAG, 0, 700),
            record(RecordType.SYNC, 0, 800),
            record(RecordType.FRAME, FRAME_VALID, frame_body(10, 1)),
        )
    )
    (gap,) = chunk.gaps
    assert (gap.channel, gap.begin, gap.lost) == (None, 100, 30)
    before, after = chunk.syncs.tolist()
    assert before == (100, 0, 0, False, False, False, False)
    assert after == (800, 10, 1, True, True, False, True)
    assert decoder.stray == 1
    assert decoder.lost == 30


def test_gap_of_the_sync_channel_marks_the_next_sync_word():
    decoder = RecordDecoder()
    chunk = decoder.feed(
        array(
            record(RecordType.SYNC, 0, 100),
            record(RecordType.FRAME, FRAME_VALID, frame_body(1, 1)),
            record(RecordType.GAP_BEGIN, Channel.SYNC, 200),
            record(RecordType.GAP_END, Channel.SYNC, 2),
        )
    )
    assert not chunk.syncs["after_gap"].any()
    chunk = decoder.feed(
        array(
            record(RecordType.SYNC, 0, 400),
            record(RecordType.FRAME, FRAME_VALID, frame_body(4, 1)),
            record(RecordType.SYNC, 0, 500),
            record(RecordType.FRAME, FRAME_VALID, frame_body(5, 1)),
        )
    )
    assert chunk.syncs["after_gap"].tolist() == [True, False]


def test_stray_records_are_counted():
    decoder = RecordDecoder()
    decoder.feed(
        array(
            record(RecordType.FRAME, FRAME_VALID, frame_body(1, 1)),
            record(RecordType.GAP_END, 1, 3),
        )
    )
    assert decoder.stray == 2


def test_a_board_that_started_again():
    decoder = RecordDecoder()
    decoder.feed(array(record(RecordType.SYNC, 0, 9000), record(RecordType.TAG, 1, 9100)))
    decoder.lose(None)
    chunk = decoder.feed(array(record(RecordType.EPOCH, 0, 0), record(RecordType.TAG, 1, 50)))
    assert chunk.tags["time"].tolist() == [TIME_MODULO + 50]
    (gap,) = chunk.gaps
    assert (gap.channel, gap.begin, gap.end, gap.lost) == (None, 9100, TIME_MODULO, 0)


def test_a_gap_that_was_open_ends_where_the_board_started_again():
    decoder = RecordDecoder()
    decoder.feed(array(record(RecordType.TAG, 2, 9000), record(RecordType.GAP_BEGIN, 2, 9100)))
    decoder.lose(None)
    assert decoder.feed(array()).gaps == ()
    chunk = decoder.feed(array(record(RecordType.EPOCH, 0, 70)))
    link, channel = chunk.gaps
    assert (link.channel, link.end) == (None, TIME_MODULO + 70)
    assert (channel.channel, channel.begin, channel.end) == (2, 9100, TIME_MODULO + 70)
    assert decoder.finish().gaps == ()


def test_a_loss_of_nothing_is_refused():
    with pytest.raises(ValueError, match="loss"):
        RecordDecoder().lose(0)
