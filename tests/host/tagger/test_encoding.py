import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keybeam.tagger.encoding import encode_pictures

TAPS = 96


@given(st.integers(4, TAPS - 13))
def test_the_code_of_a_clean_edge_is_its_position(position):
    encoded = encode_pictures(np.arange(TAPS)[None] < position)
    assert encoded.found[0]
    assert encoded.codes[0] == position


@given(st.integers(12, TAPS - 24), st.lists(st.integers(0, 3), max_size=3, unique=True))
def test_bubbles_in_pairs_change_nothing(position, distances):
    picture = np.arange(TAPS) < position
    for distance in distances:
        picture[position + distance] = True
        picture[position - 1 - distance] = False
    encoded = encode_pictures(picture[None])
    assert encoded.found[0]
    assert encoded.codes[0] == position


def test_a_level_without_edge_gives_none():
    encoded = encode_pictures(np.array([[False] * TAPS, [True] * TAPS]))
    assert not encoded.found.any()
    assert encoded.codes.tolist() == [0, 0]


def test_the_latest_of_two_edges_is_found():
    taps = np.arange(TAPS)
    picture = (taps < 20) | ((taps >= 44) & (taps < 70))
    assert encode_pictures(picture[None]).codes[0] == 20
