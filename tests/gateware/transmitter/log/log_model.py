"""What a look-up may answer, in plain Python."""

from keybeam.protocol.link import LookupStatus
from keybeam_gateware.transmitter.log import GUARD_WORDS

__all__ = ["LogModel", "interesting_index"]


class LogModel:
    """The log as its description tells: what may be answered after each line was written."""

    def __init__(self, words, frame_words, line_words=1):
        self._frame_words, self._line_words = frame_words, line_words
        self.readable = words - GUARD_WORDS
        self.first = self.newest = None
        self._first_pending = None
        self._symbols, self._not_key, self._lost = {}, {}, set()

    def write(self, word, symbols, *, first, not_key):
        """Take a word; tells whether it completed a line."""
        if first:
            self._first_pending = word, {}
        pending = self._symbols if self._first_pending is None else self._first_pending[1]
        pending[word] = symbols
        if (word + 1) % self._line_words:
            return False
        if self._first_pending is not None:
            self.first, self._symbols = self._first_pending
            self._first_pending = None
            self._not_key, self._lost = {}, set()
        self.newest = word
        self._not_key[word // self._frame_words] = not_key
        return True

    def lose(self, word):
        """The line of `word` was not taken by the memory."""
        self._lost.add(word // self._frame_words)

    def answer(self, index):
        """What is true of an index now."""
        word, slot = divmod(index, 4)
        if self.newest is None or word > self.newest:
            return LookupStatus.TOO_NEW << 4
        if word < self.first or word <= self.newest - self.readable:
            return LookupStatus.TOO_OLD << 4
        frame = word // self._frame_words
        if frame in self._lost:
            return LookupStatus.LOST << 4
        status = LookupStatus.NOT_KEY if self._not_key[frame] else LookupStatus.FOUND
        return status << 4 | self._symbols[word][slot]


def interesting_index(rng, model, words):
    """An index at, near or far from the borders of what is held."""
    if model.newest is None:
        return rng.choice([0, 1, rng.getrandbits(64)])
    border = rng.choice([model.newest, model.newest - model.readable, model.first])
    place = rng.choice(
        [
            border + rng.randint(-4, 4),
            model.newest - rng.randrange(2 * words),
            model.newest - rng.randrange(words // 2),
            border + rng.choice([-1, 1]) * (1 << rng.randrange(62)),
        ]
    )
    return place % (1 << 62) * 4 + rng.randrange(4)
