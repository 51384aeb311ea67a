from hypothesis import given
from hypothesis import strategies as st

from keybeam.session.blocks import BlockPlan


@given(size=st.integers(1, 9), packets=st.integers(1, 60), data=st.data())
def test_every_packet_is_in_one_block_and_every_dropped_one_is_counted(size, packets, data):
    plan = BlockPlan(size)
    kept = sorted(data.draw(st.sets(st.integers(0, packets - 1))))
    counted = 0
    for block in range(plan.block_of(packets - 1) + 1):
        good = [packet for packet in kept if plan.block_of(packet) == block]
        members = [packet for packet in range(packets) if plan.block_of(packet) == block]
        assert len(members) == size or block == plan.block_of(packets - 1)
        assert all(plan.end(packet) == (block + 1) * size for packet in members)
        if good:
            counted += plan.dropped(good, packets)
        else:
            counted += len(members)
    assert counted == packets - len(kept)
