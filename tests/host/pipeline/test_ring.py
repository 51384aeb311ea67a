import threading
from multiprocessing import get_context

import numpy as np
import pytest

from keybeam.pipeline import PipelineError
from keybeam.pipeline.ring import Item, create_ring


@pytest.fixture
def ring():
    writer, reader = create_ring(get_context("spawn"), 2, 1000)
    yield writer, reader
    writer.close()
    reader.close()


def test_items_come_out_as_they_went_in(ring):
    writer, reader = ring
    generator = np.random.default_rng(1)
    for number in range(20):
        arrays = [
            generator.integers(0, 1 << 60, number).astype(np.uint64),
            generator.integers(0, 4, 5 * number).astype(np.uint8)[::2],
            np.array([0.5, -1.0], np.float32),
        ]
        writer.write(Item(bytes([number]), arrays))
        item = reader.read()
        assert item.header == bytes([number])
        for found, given in zip(item.arrays, arrays, strict=True):
            assert found.dtype == given.dtype
            assert np.array_equal(found, given)
    writer.end()
    assert reader.read() is None


def test_a_writer_waits_until_there_is_room(ring):
    writer, reader = ring
    written = []

    def write():
        for number in range(5):
            writer.write(Item(bytes([number]), [np.full(100, number, np.uint8)]))
            written.append(number)
            moved.release()

    moved = threading.Semaphore(0)
    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(2):
        assert moved.acquire(timeout=10)
    # Two slots are full: the third item waits until the first one is no longer needed.
    assert not moved.acquire(timeout=0.1)
    assert written == [0, 1]
    for number in range(5):
        item = reader.read()
        # What was read stays as it is until the next call.
        assert not moved.acquire(timeout=0.05) or number
        assert item.header == bytes([number])
        assert (item.arrays[0] == number).all()
    thread.join(timeout=10)
    assert written == [0, 1, 2, 3, 4]
    assert writer.waited_s > 0.05


def test_an_item_that_fits_into_no_slot_is_refused(ring):
    with pytest.raises(PipelineError, match="does not fit"):
        ring[0].write(Item(b"", [np.zeros(1025, np.uint8)]))


def test_each_end_notices_that_the_other_is_gone():
    writer, reader = create_ring(get_context("spawn"), 1, 64)
    reader.close()
    with pytest.raises(PipelineError, match="next stage"):
        writer.write(Item(b"", []))
    writer.close()
    writer, reader = create_ring(get_context("spawn"), 1, 64)
    writer.close()
    with pytest.raises(PipelineError, match="stage before"):
        reader.read()
    reader.close()
