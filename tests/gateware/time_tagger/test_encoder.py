import numpy as np
import pytest

from keybeam_gateware.time_tagger import PictureEncoder

TAPS = 96
LATENCY = PictureEncoder.LATENCY


def encode(bench, pictures, *, rising=1, falling=0, taps=TAPS):
    """Code and direction of each picture, or None where no edge was found."""
    dut = PictureEncoder(taps)
    cycles = len(pictures) + LATENCY
    seen = bench.play(
        dut,
        cycles,
        [
            (dut.taps, [*pictures, *[0] * LATENCY]),
            (dut.rising, [rising] * cycles),
            (dut.falling, [falling] * cycles),
        ],
        {"found": dut.found, "code": dut.code, "falls": dut.falls},
    )
    answers = zip(seen.found, seen.code, seen.falls, strict=True)
    return [(code, falls) if found else None for found, code, falls in answers][LATENCY:]


def step(position, *, rising=True, taps=TAPS):
    """Picture of a single edge: the latest `position` taps have the new level."""
    low = (1 << position) - 1
    return low if rising else ((1 << taps) - 1) ^ low


@pytest.mark.parametrize("rising", [True, False])
def test_the_code_of_a_clean_edge_is_its_position(bench, rising):
    positions = range(TAPS + 1)
    codes = encode(
        bench, [step(p, rising=rising) for p in positions], rising=rising, falling=not rising
    )
    # The majority of 4 to 4 counts as high.
    seen = range(4, TAPS - 12) if rising else range(5, TAPS - 11)
    assert codes == [(p, int(not rising)) if p in seen else None for p in positions]


def test_bubbles_up_to_four_taps_from_the_edge_change_nothing(bench):
    rng = np.random.default_rng(1)
    positions = rng.integers(12, TAPS - 24, 400).tolist()
    pictures = []
    for position in positions:
        # As many taps show the later level on the wrong side as show the earlier one.
        wrong = int(rng.integers(1, 4))
        later = position + rng.choice(4, wrong, replace=False)
        earlier = position - 1 - rng.choice(4, wrong, replace=False)
        bubbles = sum(1 << int(tap) for tap in np.concatenate([later, earlier]))
        pictures.append(step(position) ^ bubbles)
    codes = encode(bench, pictures)
    # A block's majority may move by bubbles, the count may not.
    assert codes == [(position, 0) for position in positions]


def test_unpaired_bubbles_move_the_code_by_their_number(bench):
    rng = np.random.default_rng(2)
    positions = rng.integers(16, TAPS - 28, 200).tolist()
    bubbles = rng.integers(0, 4, 200).tolist()
    pictures = [step(p) | 1 << (p + b) for p, b in zip(positions, bubbles, strict=True)]
    assert encode(bench, pictures) == [(position + 1, 0) for position in positions]


def test_the_latest_edge_of_the_wanted_direction_is_found(bench):
    rng = np.random.default_rng(3)
    pictures, rises, falls, latest = [], [], [], []
    for _ in range(300):
        # Going back in time: low, high, low, for 20 taps or more each, and high again.
        fall, width, gap = rng.integers(8, 24), rng.integers(20, 26), rng.integers(20, 26)
        rise = fall + width
        pictures.append((step(int(rise)) ^ step(int(fall))) | (step(TAPS) ^ step(int(rise + gap))))
        falls.append((int(fall), 1))
        rises.append((int(rise), 0))
        latest.append((int(fall), 1))
    assert encode(bench, pictures) == rises
    assert encode(bench, pictures, rising=0, falling=1) == falls
    assert encode(bench, pictures, rising=1, falling=1) == latest


def test_nothing_is_found_where_nothing_is_looked_for(bench):
    pictures = [step(position) for position in range(0, TAPS, 5)]
    assert encode(bench, pictures, rising=0, falling=0) == [None] * len(pictures)
    assert encode(bench, pictures, rising=0, falling=1) == [None] * len(pictures)
    level = (1 << TAPS) - 1
    assert encode(bench, [0, level], rising=1, falling=1) == [None, None]


def test_a_line_of_full_length_is_encoded_in_groups(bench, lines):
    rng = np.random.default_rng(4)
    taps = 384
    positions = sorted({4, 363, *rng.integers(5, 363, 40).tolist()})
    codes = encode(bench, [step(p, taps=taps) for p in positions], taps=taps)
    assert codes == [(position, 0) for position in positions]
