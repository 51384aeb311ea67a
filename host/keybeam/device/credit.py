"""What a host lets its board send of the tag records; see `keybeam.protocol.link`."""

from collections.abc import Iterator

from keybeam.device.frames import FrameSorter
from keybeam.device.transports import Transport
from keybeam.protocol.link import CREDIT_BITS, CREDIT_LEAST, CreditAddress, FrameKind

__all__ = ["RecordCredit"]

_MODULO = 1 << CREDIT_BITS


class RecordCredit:
    """Grants a board what this host has room for.

    A grant is a window beyond what the board is known to have spent. That is known from its frames,
    lost ones included; and as the loss of all that were granted shows in no frame, the board is
    asked for it at the start and after every time-out of silence. Nothing here waits for an answer.

    Parameters
    ----------
    transport : Transport
        Tells the time, the window and how long a silence is.
    sorter : FrameSorter
        Takes the board's frames.
    """

    def __init__(self, transport: Transport, sorter: FrameSorter) -> None:
        self._transport, self._sorter = transport, sorter
        self._granted: int | None = None
        self._seen: int | None = None
        self._heard: float | None = None
        self._records: tuple[int, float] | None = None
        sorter.on_value = self._learn

    def requests(self) -> Iterator[tuple[FrameKind, bytes]]:
        """Give the requests that are due: their kinds and bodies."""
        now, spent = self._transport.now(), self._sorter.spent
        if spent is not None and spent != self._seen:
            self._seen, self._heard, self._records = spent, now, None
        if self._heard is None or now - self._heard > self._transport.answer_timeout:
            self._heard = now
            for address in (CreditAddress.SPENT, CreditAddress.RECORDS):
                yield FrameKind.REGISTER_READ, address.to_bytes(2, "little")
        if spent is None:
            return
        window = min(self._transport.credit_window, self._sorter.free)
        grant = (spent + window) % _MODULO
        if window < CREDIT_LEAST or not self._is_worth(grant):
            return
        self._granted = grant
        body = CreditAddress.GRANT.to_bytes(2, "little") + grant.to_bytes(4, "little")
        yield FrameKind.REGISTER_WRITE, body

    def _is_worth(self, grant: int) -> bool:
        """Whether a grant is so far ahead of the last one that it is worth a request."""
        if self._granted is None:
            return True
        step = (grant - self._granted) % _MODULO
        return self._transport.credit_window // 2 <= step < _MODULO // 2

    def _learn(self, address: int, value: int) -> None:
        """Take what the board says of its registers."""
        if address == CreditAddress.SPENT:
            # Answers go before a frame that is being put together, which is counted twice then:
            # the window must leave room for one more. The last grant may be lost: it is repeated.
            self._sorter.spent = self._seen = value
            self._granted = None
        elif address == CreditAddress.RECORDS:
            now = self._transport.now()
            if self._records is None or self._records[0] != value:
                self._records = value, now
            elif now - self._records[1] > self._transport.answer_timeout:
                # What the first such answer went before has arrived meanwhile, or never will.
                self._sorter.lose_up_to(value)
