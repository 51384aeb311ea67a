import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keybeam.protocol import records


@given(st.integers(0, 15), st.integers(0, 63), st.integers(0, 2**54 - 1))
def test_fields_come_back(kind, channel, body):
    word = np.atleast_1d(records.pack_records(kind, channel, body))
    assert int(word[0]) == kind << 60 | channel << 54 | body
    assert records.record_type(word)[0] == kind
    assert records.record_channel(word)[0] == channel
    assert records.record_time(word)[0] == body


def test_a_cycle_is_a_whole_number_of_sampled_bins():
    assert records.SAMPLED_FINE_STEP * 4 * records.FINE_PS == 6400
    assert records.SAMPLED_FINE_STEP * records.FINE_PS == 1600
