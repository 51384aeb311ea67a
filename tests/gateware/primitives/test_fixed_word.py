# amaranth: UnusedElaboratable=no
import pytest

from keybeam_gateware.primitives.fixed_word import FixedWord


@pytest.mark.parametrize("value", [-1, 1 << 8])
def test_a_number_that_does_not_fit_is_refused(value):
    with pytest.raises(ValueError, match="does not fit in 8 bits"):
        FixedWord(8, value)
