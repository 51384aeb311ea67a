import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybeam.device import (
    Board,
    DeviceError,
    LinkTimeoutError,
    PayloadFullError,
    Receiver,
    RecordLoss,
    RegisterAccessError,
    RegisterNameError,
    RequestRefusedError,
    Transmitter,
)
from keybeam.device.client import LinkClient, RegisterAccess
from keybeam.protocol.identity import IdentityAddress, Role
from keybeam.protocol.records import RecordType, pack_records

SCRATCH = IdentityAddress.SCRATCH


def transmitter(device, **options):
    model = device.BoardModel(Role.TRANSMITTER, **options)
    return model, Transmitter(device.MemoryTransport(model))


def test_registers_by_name(device):
    model, board = transmitter(device)
    board.write("identity.scratch", 0xDEADBEEF)
    assert board.read("identity.scratch") == board.read("identity.scratch.value") == 0xDEADBEEF
    # A wide register takes its words from the lowest up, and gives them back as one number.
    board.write("transmitter.start_counter", 0x123456789ABC)
    address = model.address("transmitter.start_counter")
    assert model.writes[-2:] == [(address, 0x56789ABC), (address + 1, 0x1234)]
    assert board.read("transmitter.start_counter.counter") == 0x123456789ABC


def test_writing_a_field_keeps_its_neighbours_and_triggers_nothing_else(device):
    model = device.BoardModel(Role.RECEIVER)
    board = Receiver(device.MemoryTransport(model))
    address = model.address("receiver.sync")
    model.words[address] = 0xFFFFFFFF
    register, field = board.register_map.find("receiver.sync.lock_tolerance")
    board.write("receiver.sync.lock_tolerance", 5)
    stored = sum(
        ((1 << each.width) - 1) << each.offset for each in register.fields if each.access == "rw"
    )
    assert model.words[address] == field.insert(stored, 5)
    # Flags are cleared by writing ones: only the one that is meant.
    model, board = transmitter(device)
    address = model.address("pattern.flags")
    model.words[address] = 0b11
    board.write("pattern.flags.underflow", 1)
    assert model.words[address] == 0b01


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("identity.nothing", 0, RegisterNameError),
        ("identity.scratch.nothing", 0, RegisterNameError),
        ("scratch", 0, RegisterNameError),
        ("identity.scratch", 1 << 32, RegisterNameError),
        ("identity.scratch", -1, RegisterNameError),
        ("transmitter.control.run", 2, RegisterNameError),
        ("identity.magic", 0, RegisterAccessError),
    ],
)
def test_impossible_writes_are_refused_by_name(device, name, value, error):
    _, board = transmitter(device)
    with pytest.raises(error, match=name):
        board.write(name, value)


def test_write_only_registers_are_not_read(device):
    _, board = transmitter(device)
    with pytest.raises(RegisterAccessError, match="write-only"):
        board.read("transmitter.snapshot")


def test_board_refuses_what_it_has_not(device):
    model = device.BoardModel(Role.RECEIVER)
    client = LinkClient(device.MemoryTransport(model))
    with pytest.raises(RegisterAccessError, match="no register"):
        client.read_word(0x1F0)
    with pytest.raises(RegisterAccessError, match="does not let it be written"):
        client.write_word(IdentityAddress.MAGIC, 0)
    with pytest.raises(RequestRefusedError, match="does not know"):
        client.lookup(np.arange(3, dtype=np.uint64))
    with pytest.raises(RequestRefusedError, match="does not know"):
        client.send_payload(b"x")


@given(st.lists(st.integers(0, 2**64 - 1), max_size=100))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_lookup_of_any_number_of_pulses(device, indices):
    _, board = transmitter(device)
    wanted = np.array(indices, dtype=np.uint64)
    status, symbols = board.lookup(wanted)
    assert status.dtype == symbols.dtype == np.uint8
    np.testing.assert_array_equal(status << 4 | symbols, device.symbol_bytes(wanted))


def test_payload_is_cut_into_frames_and_waits_for_room(device):
    model, board = transmitter(device, payload_bytes=600)
    content = bytes(range(256)) * 2
    assert board.send_payload(content) == 88
    assert model.payload == content
    with pytest.raises(PayloadFullError, match="89 of 89 bytes left"):
        board.send_payload(bytes(89), timeout=0.02)
    assert model.payload == content


def test_a_new_host_is_not_taken_for_the_one_before(device):
    model = device.BoardModel(Role.TRANSMITTER)
    for value in (1, 2):
        # Both hosts use the same sequence bytes.
        Board(device.MemoryTransport(model)).write("identity.scratch", value)
        assert model.words[SCRATCH] == value


def over_bad_lines(test):
    """Run a test with lines that lose, change and double bytes."""
    lines = given(
        seed=st.integers(0, 2**32),
        loss=st.sampled_from([0.0, 0.01, 0.2]),
        change=st.sampled_from([0.0, 0.01]),
        double=st.sampled_from([0.0, 0.01]),
    )
    check = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    return check(lines(test))


def client_over(device, model, seed, *chances):
    """A client whose line spoils bytes in both directions."""
    faults = device.Faults(seed, *chances), device.Faults(seed + 1, *chances)
    return LinkClient(device.MemoryTransport(model, *faults, answer_timeout=2e-4), attempts=6)


@over_bad_lines
def test_accesses_over_a_bad_line_end_right_or_in_a_typed_error(device, seed, loss, change, double):
    model = device.BoardModel(Role.TRANSMITTER)
    client = client_over(device, model, seed, loss, change, double)
    indices = np.arange(40, dtype=np.uint64) * np.uint64(1 << 40)
    done, failed = [], []
    for value in range(8):
        try:
            client.read_word(IdentityAddress.MAGIC)
            try:
                client.write_word(SCRATCH, value)
                done.append(value)
            except DeviceError:
                failed.append(value)
                continue
            assert client.read_word(SCRATCH) == value
            status, symbols = client.lookup(indices)
            np.testing.assert_array_equal(status << 4 | symbols, device.symbol_bytes(indices))
        except LinkTimeoutError:
            continue
    # Each write that was confirmed was carried out once; one that was not, once at most.
    carried_out = [value for _, value in model.writes]
    assert len(carried_out) == len(set(carried_out))
    assert set(done) <= set(carried_out) <= set(done + failed)
    if loss == change == double == 0:
        assert len(done) == 8


@over_bad_lines
def test_a_scan_over_a_bad_line_ends_right_or_in_a_typed_error(device, seed, loss, change, double):
    class Selecting(device.BoardModel):
        """The scratch register selects what the revision shows; reading it selects the next."""

        def _carry_out(self, kind, sequence, body):
            answer = super()._carry_out(kind, sequence, body)
            if body == IdentityAddress.REVISION.to_bytes(2, "little"):
                self.words[SCRATCH] += 1
            self.words[IdentityAddress.REVISION] = 3 * self.words[SCRATCH]
            return answer

    model = Selecting(Role.TRANSMITTER)
    client = client_over(device, model, seed, loss, change, double)
    choices = [7 * number % 100 for number in range(100)]
    groups = [
        (RegisterAccess(SCRATCH, choice), RegisterAccess(IdentityAddress.REVISION))
        for choice in choices
    ]
    parts = []
    try:
        values = client.carry_out(groups, parts.append)
    except LinkTimeoutError:
        assert loss or change or double
        return
    assert values == [3 * choice for choice in choices]
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    if loss == change == double == 0:
        assert client.repeated_requests == 0
        assert [value for _, value in model.writes] == choices


def test_a_scan_of_a_board_that_is_silent_or_refuses_is_a_typed_error(device):
    model = device.BoardModel(Role.TRANSMITTER)
    client = LinkClient(device.MemoryTransport(model))
    assert client.carry_out([]) == []
    with pytest.raises(RegisterAccessError, match="no register"):
        client.carry_out([(RegisterAccess(0xFFFF),)])
    dead = device.Faults(1, 1.0, 0.0, 0.0)
    silent = device.MemoryTransport(model, dead, dead, answer_timeout=1e-3)
    with pytest.raises(LinkTimeoutError, match="did not answer"):
        LinkClient(silent).carry_out([(RegisterAccess(SCRATCH, 1),)])


def test_a_register_is_read_for_each_choice_of_another_and_written_again_and_again(device):
    class Selecting(device.BoardModel):
        """The lowest bin selects what the count shows, beside bits that belong to nothing."""

        def _carry_out(self, kind, sequence, body):
            answer = super()._carry_out(kind, sequence, body)
            self.words[count] = 5 * self.words[chosen]
            return answer

    model = Selecting(Role.RECEIVER)
    chosen, count = (model.address(f"gate.h.histogram_{name}") for name in ("bin", "count"))
    parts = []
    with Receiver(device.MemoryTransport(model)) as board:
        names = "gate.h.histogram_bin.bin", range(0, 1000, 7), "gate.h.histogram_count.count"
        assert board.scan(*names, parts.append) == [5 * place for place in range(0, 1000, 7)]
        assert board.scan("gate.h.histogram_bin", [3], "gate.h.histogram_count") == [15]
        before = len(model.writes)
        table = model.address("tagger.h.table")
        board.write_all("tagger.h.table", range(50), parts.append)
    assert model.writes[before:] == [(table, value) for value in range(50)]
    assert parts[-1] == 1.0


def test_a_stream_that_is_started_has_nothing_of_an_earlier_program(device):
    model = device.BoardModel(Role.RECEIVER)
    transport = device.MemoryTransport(model)
    old, new = (pack_records(RecordType.TAG, 0, np.arange(n, n + 5)) for n in (0, 1000))
    with Receiver(transport) as board:
        transport.incoming += model.tags(old)
        board.start_stream()
        fences = model.address("receiver.fence")
        fence = pack_records(RecordType.FENCE, 0, np.array([model.words[fences]]))
        other = pack_records(RecordType.FENCE, 0, np.array([model.words[fences] ^ 1]))
        transport.incoming += model.tags(np.concatenate([old, other, old]))
        assert board.records().size == 0
        # The answer may be among records that are lost: it is asked for again.
        model.tags(fence)
        transport.incoming += model.tags(old)
        assert board.records().size == 0
        assert board.records().size == 0
        asked = [value for address, value in model.writes if address == fences]
        assert asked == [model.words[fences]] * 2
        transport.incoming += model.tags(np.concatenate([old, fence, new]))
        np.testing.assert_array_equal(board.records(), new)
        # From then on losses are told, and another fence is nothing special.
        transport.incoming += model.tags(np.concatenate([fence, new]))
        np.testing.assert_array_equal(board.records(), np.concatenate([fence, new]))
        model.tags(new)
        transport.incoming += model.tags(new)
        assert board.records() == RecordLoss(new.size)


def test_an_answer_that_comes_late_does_not_spoil_a_wide_register(device):
    class Holding(device.BoardModel):
        """Reading the lowest word holds a new moment in both."""

        def _carry_out(self, kind, sequence, body):
            if body == address.to_bytes(2, "little"):
                moment = self.words[address] + 1
                self.words |= {address: moment, address + 1: moment}
            return super()._carry_out(kind, sequence, body)

    class Late(device.MemoryTransport):
        """What the board says first arrives only together with what it says next."""

        held = None

        def read(self, timeout):
            if self.held is None and self.incoming:
                self.held, self.incoming = self.incoming, b""
            if self.held and self.incoming:
                self.incoming, self.held = self.held + self.incoming, b""
            return super().read(timeout)

    model = Holding(Role.TRANSMITTER)
    address = model.address("transmitter.frame")
    value = LinkClient(Late(model)).read_words(address, 2)
    assert value == 2 << 32 | 2
