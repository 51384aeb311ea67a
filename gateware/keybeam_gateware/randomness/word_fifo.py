"""First-in first-out memory for words that cannot wait."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["WordFifo"]

_QUEUE = 4
"""Words between the memory and the output: as many as cycles from the decision to read a word to
that to read another in its place."""


def _difference(more: Value, less: Value) -> Value:
    """Make `more` - `less` of two bits without an adder, so that one adder can take it."""
    return Cat(more ^ less, less & ~more).as_signed()


class WordFifo(wiring.Component):
    """Keeps words in a memory; one that finds no room is dropped whole, and says so.

    The memory's output passes two registers, which a block RAM has itself, on the way to a
    short queue; a word is read only when there is a place for it. All that counts as held.

    Parameters
    ----------
    shape : shape-like
        A word.
    depth : int
        Words of the memory, a power of two, at least 8. No more are ever held.

    Members
    -------
    word : In(shape)
        A word that arrives.
    arrives : In(1)
        There is one in this cycle; it cannot wait.
    half : In(1)
        Hold no more than half of `depth` words; taken up two cycles later.
    clear : In(1)
        Drop all that is held, and what arrives.
    output : Out(stream.Signature(shape))
        The oldest word, from registers. It is withdrawn by `clear`.
    level : Out(range(depth + 1))
        Words held a cycle ago.
    dropped : Out(1)
        The word that arrives in this cycle finds no room.
    """

    def __init__(self, shape, *, depth: int) -> None:
        if depth < 8:
            raise ValueError(f"a FIFO of {depth} words is too short: at least 8")
        self._depth = depth
        self._memory = Memory(shape=shape, depth=depth, init=[], attrs={"no_rw_check": 1})
        # Registers that a proof has to see.
        self._write_address, self._read_address = (Signal(exact_log2(depth)) for _ in range(2))
        self._stored = Signal(range(depth + 1))
        self._entered_word = Signal(shape, reset_less=True)
        self._entered, self._left = Signal(), Signal()
        self._some, self._room = Signal(), Signal()
        self._fetched, self._nearer = (Signal(shape, reset_less=True) for _ in range(2))
        self._fetched_valid, self._nearer_valid = Signal(), Signal()
        self._queue = [Signal(shape, name=f"queue_{place}") for place in range(_QUEUE)]
        # One bit for each place of the queue that holds a word, the nearest lowest.
        self._holding = Signal(_QUEUE)
        self._outstanding = Signal(range(_QUEUE + 1))
        super().__init__(
            {
                "word": In(shape),
                "arrives": In(1),
                "half": In(1),
                "clear": In(1),
                "output": Out(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = self._memory
        write, read = self._memory.write_port(), self._memory.read_port(domain="comb")
        accept, fetch, taken = Signal(), Signal(), Signal()
        m.d.comb += [
            # Whether or not all is dropped in this cycle.
            accept.eq(self.arrives & self._room),
            self.dropped.eq(self.arrives & ~self._room & ~self.clear),
            write.en.eq(self._entered),
            write.addr.eq(self._write_address),
            write.data.eq(self._entered_word),
            read.addr.eq(self._read_address),
            fetch.eq(self._some & (self._outstanding < _QUEUE)),
            taken.eq(self.output.valid & self.output.ready),
        ]
        # The level is that of a cycle ago, and the flag does not look at what happens in its own.
        limit = self._depth - 2
        half = Signal()
        m.d.sync += [
            half.eq(self.half),
            self._room.eq((self.level < limit) & ~(half & (self.level >= self._depth // 2 - 2))),
            self._some.eq((self._stored > 1) | ((self._stored == 1) & ~fetch)),
            self._entered.eq(accept),
            self._entered_word.eq(self.word),
            self._left.eq(taken),
            self._write_address.eq(self._write_address + self._entered),
            self._read_address.eq(self._read_address + fetch),
            self._stored.eq(self._stored + _difference(self._entered, fetch)),
            self.level.eq(self.level + _difference(self._entered, self._left)),
            self._outstanding.eq(self._outstanding + _difference(fetch, taken)),
            self._fetched.eq(read.data),
            self._fetched_valid.eq(fetch),
            self._nearer.eq(self._fetched),
            self._nearer_valid.eq(self._fetched_valid),
        ]
        self._queue_up(m, taken)
        with m.If(self.clear):
            m.d.sync += [
                register.eq(0)
                for register in (
                    self._entered,
                    self._left,
                    self._write_address,
                    self._read_address,
                    self._stored,
                    self._some,
                    self.level,
                    self._outstanding,
                    self._fetched_valid,
                    self._nearer_valid,
                    self._holding,
                )
            ]
        return m

    def _queue_up(self, m, taken):
        """Put what comes from the memory behind the words that wait for being taken."""
        arrives, holding, queue = self._nearer_valid, self._holding, self._queue
        m.d.comb += [self.output.valid.eq(holding[0]), self.output.payload.eq(queue[0])]
        with m.If(arrives & ~taken):
            m.d.sync += holding.eq(Cat(1, holding))
        with m.Elif(taken & ~arrives):
            m.d.sync += holding.eq(holding[1:])
        left = Mux(taken, holding[1:], holding)
        for place in range(_QUEUE):
            with m.If(arrives & ~left[place] & (left[place - 1] if place else 1)):
                m.d.sync += queue[place].eq(self._nearer)
            if place + 1 < _QUEUE:
                with m.Elif(taken):
                    m.d.sync += queue[place].eq(queue[place + 1])
