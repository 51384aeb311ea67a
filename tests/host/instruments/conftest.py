"""A link that holds the messages of a driver against a list."""

from contextlib import contextmanager

import pytest

from keybeam.instruments import MODELS, InstrumentTimeoutError, Settings


class ExpectedLink:
    """Takes exactly the messages of a list in their order, and gives the answers beside them.

    An answer of None is that of a command; `bytes` are a block; an exception is raised.
    """

    def __init__(self, exchange, name="expected"):
        self.name = name
        self.exchange = list(exchange)
        self.timeouts_s = {}

    def _next(self, message):
        assert self.exchange, f"{message!r} was sent after the last message expected"
        expected, answer = self.exchange.pop(0)
        assert message == expected
        if isinstance(answer, Exception):
            raise answer
        return answer

    def write(self, message):
        answer = self._next(message)
        assert answer is None, f"{message!r} has an answer, which was not waited for"

    def query(self, message, *, timeout_s=None):
        self.timeouts_s[message] = timeout_s
        answer = self._next(message)
        assert isinstance(answer, str), f"{message!r} has no answer"
        return answer

    def query_block(self, message):
        answer = self._next(message)
        assert isinstance(answer, bytes)
        return answer

    def close(self):
        pass


def checked(*messages, error="0", error_query="SYST:ERR?"):
    """Exchange of commands, the question whether they are done, and for errors."""
    return [*((message, None) for message in messages), ("*OPC?", "1"), (error_query, error)]


@contextmanager
def expected(model, exchange, *, name="expected", **settings):
    """A driver whose whole exchange must be this one."""
    link = ExpectedLink(exchange, name)
    yield MODELS[model](link, Settings(**settings))
    assert not link.exchange, f"never sent: {link.exchange}"


@pytest.fixture
def lost():
    return InstrumentTimeoutError("no answer")
