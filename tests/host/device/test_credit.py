"""A slow host, and a bad line, on a pseudo-terminal: every lost tag is told.

The board is a model with a queue of its own, whose overflow becomes a marked gap, and a serial line
that loses what its other end does not take.
"""

import os
import select
import threading
import tty
from collections import deque

import numpy as np
import pytest

from keybeam.device import RecordLoss, open_transport
from keybeam.device.client import LinkClient
from keybeam.device.transports import SERIAL_WINDOW
from keybeam.protocol.link import CREDIT_LEAST, CREDIT_OF_FRAME, TAGS_MAXIMUM, CreditAddress
from keybeam.protocol.records import RecordType, pack_records, record_body, record_type

QUEUE = 200
TAGS_A_TICK = 100
TICK_S = 0.001


class Board:
    """Makes tags and sends them within the credit.

    Attributes
    ----------
    made, bytes_lost : int
        Tags made, and bytes that the line did not take.
    """

    def __init__(self, model, tags):
        self.model, self._left, self.made = model, tags, 0
        self.bytes_lost = 0
        self.queue, self._gap = deque(), 0
        self._granted = self._spent = self._records = 0
        self._overflow = threading.Event()
        self._begun = self._ended = False

    def await_overflow(self):
        """Wait until a gap has begun, or nothing more is made."""
        self._overflow.clear()
        assert self._overflow.wait(20)

    def tick(self):
        """Make tags, or drop and count them where there is no room."""
        for _ in range(min(TAGS_A_TICK, self._left)):
            self._left -= 1
            full = len(self.queue) >= (QUEUE // 2 if self._gap else QUEUE)
            if full and not self._gap:
                self._put(RecordType.GAP_BEGIN, self.made)
            elif not full and self._gap:
                self._put(RecordType.GAP_END, self._gap)
                self._gap = 0
            if full:
                self._gap += 1
                self._overflow.set()
            else:
                self._put(RecordType.TAG, self.made)
            self.made += 1
        if not self._left and not self._ended:
            if self._gap:
                self._put(RecordType.GAP_END, self._gap)
            self._put(RecordType.FENCE, 0)
            self._ended = True
        if self._ended:
            self._overflow.set()

    def _put(self, kind, body):
        self.queue.append(int(pack_records(kind, 0, np.array([body]))[0]))

    def answer(self, data):
        """Answers to the host's requests."""
        words = self.model.words
        words[CreditAddress.SPENT] = self._spent
        words[CreditAddress.RECORDS] = self._records
        answers = self.model.feed(data)
        grant = words[CreditAddress.GRANT]
        if (grant - self._granted) % 2**32 < 2**31:
            self._granted = grant
        return answers

    def frames(self):
        """Frames for which there is credit."""
        while self.queue and (self._granted - self._spent) % 2**32 >= CREDIT_LEAST:
            part = [self.queue.popleft() for _ in range(min(TAGS_MAXIMUM, len(self.queue)))]
            self._spent += len(part) + CREDIT_OF_FRAME
            self._records += len(part)
            assert self._spent <= self._granted
            yield self.model.tags(part)

    def serve(self, master, stopped, to_board, to_host):
        """Serve a pseudo-terminal until `stopped` becomes readable."""
        os.set_blocking(master, False)
        while True:
            ready = select.select([master, stopped], [], [], TICK_S)[0]
            if stopped in ready:
                return
            if master in ready:
                self._send(master, to_host(self.answer(to_board(os.read(master, 4096)))))
            self.tick()
            for frame in self.frames():
                # The first comes whole: what comes before the first is not a loss, but the past.
                self._send(master, to_host(frame) if self._begun else frame)
                self._begun = True

    def _send(self, master, data):
        try:
            self.bytes_lost += len(data) - (os.write(master, data) if data else 0)
        except BlockingIOError:
            self.bytes_lost += len(data)


def run(device, tags, to_board=bytes, to_host=bytes, *, slow=False, window=SERIAL_WINDOW):
    """Have a host take everything; gives the board and what was taken, up to the last record."""
    board = Board(device.BoardModel(), tags)
    master, slave = os.openpty()
    tty.setraw(slave)
    stopped, stop = os.pipe()
    server = threading.Thread(target=board.serve, args=(master, stopped, to_board, to_host))
    taken = []
    try:
        with open_transport(f"serial:{os.ttyname(slave)}?timeout=0.05") as transport:
            transport.credit_window = window
            client = LinkClient(transport)
            server.start()
            while not _ended(board, taken):
                taken.append(client.records(0.1))
                if slow:
                    board.await_overflow()
    finally:
        os.write(stop, b"x")
        if server.ident:
            server.join(20)
        assert not server.is_alive()
        for descriptor in (master, slave, stopped, stop):
            os.close(descriptor)
    return board, taken


def _ended(board, taken):
    """Whether the board has sent all it had, and the host has it or knows that it is lost."""
    numbered = sum(
        piece.records if isinstance(piece, RecordLoss) else piece.size for piece in taken
    )
    return board._ended and not board.queue and numbered == board._records


def told(taken):
    """Tags received, tags that gaps tell to be lost, and records that losses tell."""
    records = np.concatenate([piece for piece in taken if not isinstance(piece, RecordLoss)])
    types, bodies = record_type(records), record_body(records)
    gaps = int(bodies[types == RecordType.GAP_END].sum())
    losses = sum(piece.records for piece in taken if isinstance(piece, RecordLoss))
    return bodies[types == RecordType.TAG], gaps, losses


def test_a_slow_host_leads_to_marked_gaps_and_nothing_else(device):
    board, taken = run(device, 20_000, slow=True)
    tags, gaps, losses = told(taken)
    assert gaps > 0
    assert (board.bytes_lost, losses) == (0, 0)
    assert tags.size + gaps == board.made == 20_000
    assert np.all(np.diff(tags.astype(np.int64)) > 0)


def test_without_the_window_the_line_of_a_slow_host_loses_bytes(device):
    board, taken = run(device, 20_000, slow=True, window=1 << 20)
    tags, gaps, losses = told(taken)
    assert board.bytes_lost > 0
    assert losses > 0
    # What the line has lost is told as well, in records.
    assert tags.size + gaps <= board.made


class Pauses:
    """Holds everything back until a later write of a certain number."""

    def __init__(self, every):
        self._every, self._held, self._count = every, b"", 0

    def __call__(self, data):
        self._held += data
        self._count += 1
        if self._count % self._every:
            return b""
        data, self._held = self._held, b""
        return data


@pytest.mark.parametrize("kind", ["loss", "change", "double", "pauses"])
def test_every_record_is_received_or_told_to_be_lost_on_a_bad_line(device, kind):
    if kind == "pauses":
        faults = Pauses(3), bytes
    else:
        faults = device.Faults(5, **{kind: 0.002}), device.Faults(6, **{kind: 0.002})
    board, taken = run(device, 10_000, *faults)
    tags, gaps, losses = told(taken)
    place = 0
    for piece in taken:
        place += piece.records if isinstance(piece, RecordLoss) else piece.size
    assert place == board._records
    assert np.all(np.diff(tags.astype(np.int64)) > 0)
    assert (losses > 0) == (kind in ("loss", "change", "double"))
    if not losses:
        assert tags.size + gaps == board.made


def test_all_frames_of_a_window_lost_do_not_stop_the_stream_and_are_told(device):
    """The board is asked what it has spent, as no frame tells it."""
    swallowed = [0]

    def swallow(data):
        swallowed[0] += len(data) > 40
        return b"" if 3 < swallowed[0] < 60 and len(data) > 40 else data

    board, taken = run(device, 5_000, to_host=swallow)
    tags, _, losses = told(taken)
    assert losses > SERIAL_WINDOW - CREDIT_LEAST
    assert tags.size > 0
    assert sum(p.records if isinstance(p, RecordLoss) else p.size for p in taken) == board._records
