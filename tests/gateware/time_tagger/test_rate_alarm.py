import pytest

from keybeam_gateware.time_tagger import RateAlarm

WINDOW_BITS = 5
WINDOW = 1 << WINDOW_BITS


@pytest.mark.parametrize("limit", [0, 3, 9, WINDOW])
def test_windows_with_more_edges_than_the_limit_raise_an_alarm(bench, limit):
    dut = RateAlarm(WINDOW_BITS)
    edges = [0, 3, 4, 10, 2, WINDOW, 9]
    given = [place < number for number in edges for place in range(WINDOW)]
    cycles = len(given) + 3
    seen = bench.play(
        dut,
        cycles,
        [(dut.edge, given + [0] * 3), (dut.limit, [limit] * cycles)],
        {"count": dut.count, "alarm": dut.alarm},
    )
    ends = [WINDOW * (window + 1) for window in range(len(edges))]
    assert [seen.count[end] for end in ends] == edges
    alarms = [cycle for cycle in range(cycles) if seen.alarm[cycle]]
    expected = [number > limit and limit > 0 for number in edges]
    assert alarms == [end + 2 for end, over in zip(ends, expected, strict=True) if over]
