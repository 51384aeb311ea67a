import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.device.frames import FrameSorter, MessageLoss, RecordLoss
from keybeam.protocol.link import FrameKind, encode_link_frame
from keybeam.protocol.records import pack_records


def tags(sequence, number, records):
    body = (number % 2**32).to_bytes(4, "little") + np.asarray(records, "<u8").tobytes()
    return encode_link_frame(FrameKind.TAGS, sequence % 256, body)


def stream(sizes, first=0):
    """Frames of consecutively numbered records whose content is their number."""
    frames, number = [], first
    for sequence, size in enumerate(sizes):
        frames.append(tags(sequence, number, np.arange(number, number + size, dtype=np.uint64)))
        number += size
    return frames


def drain(sorter):
    parts = []
    while True:
        part = sorter.take_records()
        if isinstance(part, np.ndarray):
            if not part.size:
                return parts
            assert part.dtype == np.uint64
            part = part.tolist()
        parts.append(part)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.data())
def test_records_survive_any_cutting_and_losses_stand_where_they_are(sizes, data):
    first_number = data.draw(st.sampled_from([0, 2**32 - 40]))
    frames = stream(sizes, first=first_number)
    kept = data.draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)))
    wire = b"".join(frame for frame, keep in zip(frames, kept, strict=True) if keep)
    sorter = FrameSorter()
    while wire:
        cut = data.draw(st.integers(1, len(wire)))
        sorter.feed(wire[:cut])
        wire = wire[cut:]
    # Reference: what was sent, with losses between the frames that were kept, none at the ends.
    expected, missing, number = [], 0, first_number
    for size, keep in zip(sizes, kept, strict=True):
        content = list(range(number, number + size))
        number += size
        if not keep:
            missing += size
        elif not expected:
            expected, missing = [content], 0
        elif missing:
            expected, missing = [*expected, RecordLoss(missing), content], 0
        else:
            expected[-1] += content
    assert drain(sorter) == expected


def test_a_spoilt_frame_is_counted_and_shows_as_a_loss():
    frames = stream([3, 4, 5])
    spoilt = bytearray(frames[1])
    spoilt[5] ^= 0x80
    sorter = FrameSorter()
    sorter.feed(frames[0] + bytes(spoilt) + frames[2])
    assert sorter.broken == 1
    assert drain(sorter) == [[0, 1, 2], RecordLoss(4), [7, 8, 9, 10, 11]]


def test_a_frame_that_comes_twice_counts_once():
    frames = stream([3, 4])
    sorter = FrameSorter()
    sorter.feed(frames[0] + frames[0] + frames[1])
    assert drain(sorter) == [[0, 1, 2, 3, 4, 5, 6]]


def test_a_board_that_starts_again_is_a_loss_of_unknown_size():
    sorter = FrameSorter()
    sorter.feed(b"".join(stream([3, 4])) + tags(0, 0, [7]))
    assert drain(sorter) == [[0, 1, 2, 3, 4, 5, 6], RecordLoss(None), [7]]


def test_records_that_nobody_takes_are_dropped_with_a_mark():
    sorter = FrameSorter(record_limit=6)
    sorter.feed(b"".join(stream([3, 3, 2, 2])))
    assert drain(sorter) == [[0, 1, 2, 3, 4, 5], RecordLoss(4)]
    sorter.feed(tags(4, 10, [10]))
    assert drain(sorter) == [[10]]


def test_noise_without_end_does_not_fill_the_memory_and_records_go_on_behind_it():
    sorter = FrameSorter()
    for _ in range(100):
        sorter.feed(b"\x55" * 1000)
    assert sorter.broken
    sorter.feed(b"\0" + tags(0, 0, [1, 2]))
    assert drain(sorter) == [[1, 2]]


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0", b"\0\0\0\0" + bytes(7)])
def test_frames_of_records_of_wrong_length_are_dropped(body):
    sorter = FrameSorter()
    sorter.feed(encode_link_frame(FrameKind.TAGS, 0, body))
    assert sorter.broken == 1
    assert not sorter.has_records


def test_messages_join_unless_a_frame_is_missing():
    frames = [encode_link_frame(FrameKind.MESSAGE, n % 256, bytes([n % 256])) for n in range(258)]
    sorter = FrameSorter()
    sorter.feed(b"".join([*frames[:3], frames[2], *frames[3:]]))
    assert b"".join(sorter.take_messages()) == bytes(n % 256 for n in range(258))
    sorter.feed(encode_link_frame(FrameKind.MESSAGE, 5, b"x"))
    assert sorter.take_messages() == [MessageLoss(), b"x"]


def test_records_and_answers_keep_apart():
    record = pack_records(1, 2, 3)
    answer = encode_link_frame(FrameKind.REGISTER_VALUE, 9, b"\1\0\2\0\0\0")
    sorter = FrameSorter()
    sorter.feed(tags(0, 0, [record]) + answer + tags(1, 1, [record]))
    assert drain(sorter) == [[int(record)] * 2]
    assert sorter.answers.pop() == (FrameKind.REGISTER_VALUE, 9, b"\1\0\2\0\0\0")
