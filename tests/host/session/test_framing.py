import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.session.framing import BODY_MAXIMUM, FrameDecoder, encode_frame

bodies = st.lists(st.binary(max_size=60), max_size=8)


@given(bodies, st.integers(1, 40))
def test_frames_survive_any_division(messages, size):
    stream = b"".join(encode_frame(number, body) for number, body in enumerate(messages))
    decoder = FrameDecoder()
    found = []
    for start in range(0, len(stream), size):
        found += decoder.feed(stream[start : start + size])
    assert found == messages
    assert (decoder.corrupted, decoder.missing) == (0, 0)


@given(bodies, st.data())
def test_damage_costs_only_the_damaged_frame(messages, data):
    """A flipped bit or foreign bytes between frames: the rest arrives, nothing wrong does."""
    frames = [encode_frame(number, body) for number, body in enumerate(messages)]
    harmed = data.draw(st.sets(st.integers(0, max(len(frames) - 1, 0)), max_size=3))
    stream, expected = b"", []
    for number, (frame, body) in enumerate(zip(frames, messages, strict=True)):
        if number in harmed:
            place = data.draw(st.integers(0, len(frame) - 1))
            flipped = frame[place] ^ 1 << data.draw(st.integers(0, 7))
            stream += frame[:place] + bytes([flipped]) + frame[place + 1 :]
            stream += data.draw(st.binary(max_size=9))
        else:
            stream += frame
            expected.append(body)
    assert FrameDecoder().feed(stream + encode_frame(99, b"")) == [*expected, b""]


def test_losses_are_counted_and_late_frames_are_not():
    decoder = FrameDecoder()
    for number in (0, 3, 1, 4):
        assert decoder.feed(encode_frame(number, b"x")) == [b"x"]
    assert decoder.missing == 2


def test_a_frame_too_long_is_refused():
    with pytest.raises(ValueError, match="too long"):
        encode_frame(0, bytes(BODY_MAXIMUM + 1))


def test_noise_alone_gives_nothing():
    noise = np.random.default_rng(1).bytes(200_000)
    decoder = FrameDecoder()
    assert decoder.feed(noise) == []
    assert decoder.feed(encode_frame(0, b"at last")) == [b"at last"]
