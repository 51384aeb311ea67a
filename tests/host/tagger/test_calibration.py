import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.protocol.records import FINE_PS
from keybeam.tagger import CalibrationError, calibrate, linearity

TAPS = 64


def histogram(widths_ps, first=4, factor=1000):
    """Counts in proportion to the widths of bins."""
    counts = np.zeros(128, int)
    counts[first : first + len(widths_ps)] = np.round(np.asarray(widths_ps) * factor)
    return counts


def test_the_middle_of_every_bin_is_found():
    widths = np.tile([250, 150], 16)
    table = calibrate(histogram(widths), chains=1, taps=TAPS)
    assert table.widths_ps[4:36] == pytest.approx(widths)
    assert table.ages_ps[4:36] == pytest.approx(np.cumsum(widths) - widths / 2)


def test_codes_that_never_came_stand_between_their_neighbours():
    widths = np.array([400, 0, 0, 400] * 8)
    ages = calibrate(histogram(widths), chains=1, taps=TAPS).ages_ps[4:36]
    assert (np.diff(ages) >= 0).all()
    assert ages[1] == ages[2] == pytest.approx(400)


@given(st.lists(st.integers(1, 300), min_size=20, max_size=38), st.integers(4, 5))
def test_all_codes_together_are_one_period(widths, first):
    table = calibrate(histogram(widths, first), chains=1, taps=TAPS)
    assert table.widths_ps.sum() == pytest.approx(6400)
    assert (np.diff(table.ages_ps) >= 0).all()
    assert table.ages_ps.min() >= 0
    assert table.ages_ps.max() <= 6400 + 1e-9


def test_times_go_back_from_the_clock_edge():
    table = calibrate(histogram([200] * 32), chains=1, taps=TAPS)
    times = table.times_ps(np.array([4, 35, 4]), np.array([0, 0, 5]))
    assert times == pytest.approx([-100, -6300, 5 * 6400 - 100])


def test_the_uncertainty_is_that_of_repeated_calibrations():
    rng = np.random.default_rng(1)
    share = np.full(32, 1 / 32)
    tables = [
        calibrate(
            np.concatenate([np.zeros(4, int), rng.multinomial(5000, share)]), chains=1, taps=TAPS
        )
        for _ in range(400)
    ]
    found = np.std([table.ages_ps[4:] for table in tables], axis=0)
    predicted = tables[0].uncertainties_ps[4:]
    assert found[4:28] == pytest.approx(predicted[4:28], rel=0.15)


def test_a_table_follows_a_common_drift():
    table = calibrate(histogram([200] * 32), chains=1, taps=TAPS)
    assert table.scaled(1.02).ages_ps == pytest.approx(1.02 * table.ages_ps)
    with pytest.raises(CalibrationError, match="changed by a factor of 3"):
        table.scaled(3)


def test_entries_of_the_gateware_are_leads():
    table = calibrate(histogram([200] * 32), chains=1, taps=TAPS)
    leads = table.leads()
    assert leads.dtype == np.uint16
    assert leads * FINE_PS == pytest.approx(2 * 6400 - table.ages_ps, abs=FINE_PS / 2 + 1e-9)
    with pytest.raises(CalibrationError, match="two clock periods"):
        calibrate(histogram([200] * 32), chains=1, taps=TAPS).scaled(2).scaled(2).leads()


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (np.zeros(128, int), "0 counts are too few"),
        (histogram([200] * 32, factor=0.1), "640 counts are too few for 32 codes"),
        (histogram([100] * 50), "edges come up to code 53"),
        (-histogram([200] * 32), "counts of zero or more"),
        (np.ones((2, 4), int), "one row"),
    ],
)
def test_what_makes_no_calibration_is_refused(counts, reason):
    with pytest.raises(CalibrationError, match=reason):
        calibrate(counts, chains=1, taps=TAPS)


def test_linearity_of_bins_that_alternate():
    shape = linearity(calibrate(histogram(np.tile([300, 100], 16)), chains=1, taps=TAPS))
    assert shape.mean_bin_ps == pytest.approx(200)
    assert shape.widest_bin_ps == pytest.approx(300)
    assert shape.dnl_lsb == pytest.approx(np.tile([0.5, -0.5], 16))
    assert shape.inl_lsb == pytest.approx(np.tile([0.5, 0.0], 16), abs=1e-12)
    # Half of the time errors are uniform over 300 ps ... by their part of the period.
    assert shape.quantisation_ps == pytest.approx(np.sqrt((0.75 * 300**2 + 0.25 * 100**2) / 12))
