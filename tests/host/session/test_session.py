"""Both state machines together, on a good channel and on one that does its worst."""

import hashlib
import math

import msgspec
import numpy as np
import pytest
from session_ends import (
    PARAMETERS,
    Channel,
    PlainDistiller,
    lookup,
    make_clicks,
    open_ends,
    open_parts,
    symbols_sent,
)

from keybeam.keystore import KeyState
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import SLOT_PS
from keybeam.protocol.symbols import Intensity, basis_of, bit_of, intensity_of
from keybeam.session import GroundSession, ParameterError, PeerLostError, SatelliteSession
from keybeam.session.messages import (
    AmplifyConfirm,
    AmplifyInstruction,
    BitsReply,
    BitsRequest,
    Heartbeat,
    PacketResult,
    PassEnd,
    Settle,
    SiftReply,
    SiftRequest,
    Syndrome,
)
from keybeam.sifting import decode_indices, encode_indices


def held_keys(store):
    """Name and hash of every key of a store."""
    names = [record.name for record in store.inventory() if record.state is KeyState.READY]
    return {name: hashlib.sha256(store.deliver(name)).hexdigest() for name in names}


def test_a_pass_gives_equal_keys(folder):
    ends = open_ends(folder)
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2)).run(clicks)
    ground, satellite = ends.ground, ends.satellite

    # An independent count of what must come out of these clicks.
    sent = symbols_sent(clicks["index"])
    matching = basis_of(sent) == basis_of(clicks["channel"])
    signal = matching & (intensity_of(sent) == Intensity.SIGNAL)
    assert ground.sifted_bits + ground.sampled_bits == np.count_nonzero(signal)
    assert ground.sampled_bits == pytest.approx(0.1 * np.count_nonzero(signal), rel=0.1)
    packets = ground.sifted_bits // PARAMETERS.packet_bits
    assert len(ground.packets) == satellite.packets == packets
    assert ground.leftover_bits == ground.sifted_bits % PARAMETERS.packet_bits
    assert [len(block.packets) for block in ground.blocks] == [3] * (packets // 3) + (
        [packets % 3] if packets % 3 else []
    )
    # Decoy and vacuum clicks are the same unsampled part as the signal clicks.
    share = np.count_nonzero(matching & (intensity_of(sent) == Intensity.DECOY)) / np.count_nonzero(
        signal
    )
    total = sum(block.signal for block in ground.blocks)
    assert sum(block.decoy for block in ground.blocks) == pytest.approx(share * total, rel=0.05)
    wrong = bit_of(sent) != bit_of(clicks["channel"])
    assert np.mean([packet.qber for packet in ground.packets]) == pytest.approx(
        wrong[signal].mean(), rel=0.1
    )
    errors = sum(block.decoy_errors for block in ground.blocks)
    assert errors == pytest.approx(0.02 * sum(b.decoy for b in ground.blocks), rel=0.3)

    assert ground.key_sha256 == satellite.key_sha256
    assert ground.secret_key_bits == satellite.secret_key_bits > 0
    keys = held_keys(ends.ground_store)
    assert keys == held_keys(ends.satellite_store)
    assert len(set(keys.values())) == len(keys) == len(ground.blocks)
    # Three signed messages a block, of 256 bits each, counted alike at both ends.
    assert ground.authentication_bits == satellite.authentication_bits == 768 * len(ground.blocks)
    ends.close()


@pytest.mark.parametrize("seed", range(12))
def test_equal_keys_on_a_channel_that_does_its_worst(folder, seed):
    distiller = PlainDistiller(most_errors=20)
    ends = open_ends(folder, distiller=distiller)
    clicks = make_clicks(30_000, 0.02, np.random.default_rng(seed))
    channel = Channel(ends, np.random.default_rng(100 + seed), rate=0.25)
    channel.run(clicks)
    ground, satellite = ends.ground, ends.satellite
    assert ground.repeated > 0
    assert satellite.repeated > 0
    # Nothing was lost or doubled: as many bits as on a good channel, every packet used once.
    sent = symbols_sent(clicks["index"])
    signal = (basis_of(sent) == basis_of(clicks["channel"])) & (intensity_of(sent) == 0)
    assert ground.sifted_bits + ground.sampled_bits == np.count_nonzero(signal)
    good = [packet.index for packet in ground.packets if packet.good]
    assert [packet for block in ground.blocks for packet in block.packets] == good
    assert len(ground.packets) - len(good) == satellite.dropped_packets > 0
    assert not any(block.abandoned for block in ground.blocks)
    # A block is what is left of three packets in a row; both ends count those it left out.
    rows = [range(first, first + 3) for first in range(0, len(ground.packets), 3)]
    assert [block.packets for block in ground.blocks] == [
        kept for row in rows if (kept := [number for number in row if number in good])
    ]
    left_out = [
        len([number for number in row if number < len(ground.packets)]) - len(block.packets)
        for block in ground.blocks
        for row in rows
        if block.packets[0] in row
    ]
    assert sorted(distiller.dropped) == sorted([*left_out, *left_out])
    assert satellite.unsettled_keys == 0
    assert ground.key_sha256 == satellite.key_sha256
    keys = held_keys(ends.ground_store)
    assert keys == held_keys(ends.satellite_store)
    assert len(keys) == len(ground.blocks) > 0
    ends.close()


def test_keys_follow_from_the_seed_whatever_the_channel(folder, tmp_path_factory):
    hashes = []
    for number, rate in enumerate((0.0, 0.2, 0.3)):
        place = tmp_path_factory.mktemp("run")
        for name in ("satellite.secret", "ground.secret"):
            (place / name).write_bytes((folder / name).read_bytes())
        ends = open_ends(place, seed=7)
        clicks = make_clicks(20_000, 0.02, np.random.default_rng(3))
        Channel(ends, np.random.default_rng(number), rate).run(clicks)
        hashes.append((ends.ground.key_sha256, ends.ground.blocks, ends.ground.packets))
        ends.close()
    assert hashes[0] == hashes[1] == hashes[2]


def test_symbols_that_the_log_does_not_have_are_dropped_and_counted(folder):
    def forgetful(indices):
        status, symbols = lookup(indices)
        status[indices % 10 == 0] = LookupStatus.TOO_OLD
        status[indices % 10 == 1] = LookupStatus.TOO_NEW
        symbols[indices % 10 == 2] = Intensity.INVALID << 2
        return status, symbols

    ends = open_ends(folder, lookup=forgetful)
    clicks = make_clicks(20_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2)).run(clicks)
    counts = np.bincount(clicks["index"] % 10)
    dropped = ends.ground.dropped
    assert (dropped.too_old, dropped.too_new, dropped.invalid) == tuple(counts[:3])
    kept = clicks[clicks["index"] % 10 > 2]
    sent = symbols_sent(kept["index"])
    signal = (basis_of(sent) == basis_of(kept["channel"])) & (intensity_of(sent) == 0)
    assert ends.ground.sifted_bits + ends.ground.sampled_bits == np.count_nonzero(signal)
    assert ends.ground.key_sha256 == ends.satellite.key_sha256
    ends.close()


def test_a_block_without_key_is_discarded_at_both_ends(folder):
    ends = open_ends(folder)
    clicks = make_clicks(20_000, 0.3, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2)).run(clicks)
    assert ends.ground.blocks
    assert all(b.length_bits == 0 and not b.abandoned for b in ends.ground.blocks)
    assert ends.ground_store.inventory() == ends.satellite_store.inventory() == []
    ends.close()


def test_few_clicks_end_the_session_without_key(folder):
    ends = open_ends(folder)
    Channel(ends, np.random.default_rng(2)).run(make_clicks(100, 0.02, np.random.default_rng(1)))
    assert ends.ground.packets == ends.ground.blocks == []
    assert ends.ground.leftover_bits == ends.ground.sifted_bits > 0
    ends.close()


def _flip(data: bytes, bit: int = 0) -> bytes:
    return bytes([data[0] ^ 128 >> bit]) + data[1:]


def _tamper_instruction(sender, message):
    if isinstance(message, AmplifyInstruction) and message.block == 1:
        return msgspec.structs.replace(message, seed=_flip(message.seed))
    return message


def _tamper_confirm(sender, message):
    if isinstance(message, AmplifyConfirm) and message.block == 1 and not message.refusal:
        return msgspec.structs.replace(message, tag=_flip(message.tag))
    return message


def _forge_refusal(sender, message):
    if isinstance(message, AmplifyConfirm) and message.block == 1:
        return msgspec.structs.replace(message, refusal="forged")
    return message


@pytest.mark.parametrize("tamper", [_tamper_instruction, _tamper_confirm, _forge_refusal])
def test_tampering_with_a_block_abandons_it_and_no_other(folder, tamper):
    ends = open_ends(folder)
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), tamper=tamper).run(clicks)
    abandoned = [bool(block.abandoned) for block in ends.ground.blocks]
    assert abandoned == [False, True] + [False] * (len(abandoned) - 2)
    assert ends.satellite.abandoned_blocks == 1
    assert ends.ground.blocks[1].length_bits == 0
    assert ends.ground.key_sha256 == ends.satellite.key_sha256
    keys = held_keys(ends.ground_store)
    assert keys == held_keys(ends.satellite_store)
    assert len(keys) == len(abandoned) - 1
    ends.close()


def test_tampering_with_what_is_not_signed_gives_no_key_either(folder):
    """Decoy clicks presented as vacuum clicks: every packet is good, but no signature is."""

    def tamper(sender, message):
        if not isinstance(message, SiftReply):
            return message
        kinds = np.frombuffer(message.intensities, np.uint8).copy()
        # 01 (decoy) becomes 10 (vacuum) without its bit; the lists stay consistent.
        bits = np.unpackbits(kinds).reshape(-1, 2)
        decoy = (bits == [0, 1]).all(axis=1)
        bits[decoy] = [1, 0]
        return msgspec.structs.replace(
            message, intensities=np.packbits(bits).tobytes(), decoy_bits=b""
        )

    ends = open_ends(folder)
    clicks = make_clicks(20_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), tamper=tamper).run(clicks)
    assert all(packet.good for packet in ends.ground.packets)
    assert all(block.abandoned for block in ends.ground.blocks)
    assert ends.satellite.abandoned_blocks == len(ends.ground.blocks) > 0
    assert ends.ground_store.inventory() == ends.satellite_store.inventory() == []
    ends.close()


def test_bits_asked_for_count_as_disclosed(folder):
    carried = []

    def watch(sender, message):
        carried.append(message)
        return message

    ends = open_ends(folder)
    clicks = make_clicks(20_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), tamper=watch).run(clicks)
    told = [8 * len(message.bits) for message in carried if isinstance(message, BitsReply)]
    asked = [message for message in carried if isinstance(message, BitsRequest)]
    assert len(told) == len(asked) > len(ends.ground.packets) / 2
    plain = PARAMETERS.packet_bits + 128
    assert sum(p.leak_bits - plain for p in ends.ground.packets) == sum(told)
    # The satellite would have refused any block with another count.
    assert ends.satellite.abandoned_blocks == 0
    ends.close()


@pytest.mark.parametrize("kind", [BitsRequest, BitsReply])
def test_tampering_with_bits_asked_for_gives_no_key(folder, kind):
    """Any change of them is found by the signature, even one that leaves the packet good."""

    def tamper(sender, message):
        if isinstance(message, BitsReply) and kind is BitsReply:
            # The bits that fill up the last byte mean nothing.
            last = bytes([message.bits[-1] ^ 1])
            return msgspec.structs.replace(message, bits=message.bits[:-1] + last)
        if isinstance(message, BitsRequest) and kind is BitsRequest:
            places = np.arange(message.round + 50, 100, 7, dtype=np.uint64)
            return msgspec.structs.replace(message, places=encode_indices(places))
        return message

    ends = open_ends(folder)
    clicks = make_clicks(20_000, 0.03, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), tamper=tamper).run(
        clicks, until=lambda: ends.ground.done
    )
    assert ends.ground.secret_key_bits == ends.satellite.secret_key_bits == 0
    ends.close()


@pytest.mark.parametrize(
    "places",
    [b"", b"\x05\x00", b"\x85", encode_indices(np.array([PARAMETERS.packet_bits], np.uint64))],
    ids=["none", "twice", "cut off", "beyond"],
)
def test_impossible_requests_for_bits_are_ignored(folder, places):
    forged = []

    def tamper(sender, message):
        if isinstance(message, BitsRequest) and not forged:
            forged.append(message)
            return msgspec.structs.replace(message, places=places)
        return message

    ends = open_ends(folder)
    clicks = make_clicks(10_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), tamper=tamper).run(clicks)
    assert ends.satellite.ignored == 1
    # The repeated request was answered.
    assert ends.ground.key_sha256 == ends.satellite.key_sha256
    assert ends.ground.secret_key_bits > 0
    ends.close()


def test_codes_are_chosen_by_what_was_counted_before(folder):
    distiller = PlainDistiller()
    ends = open_ends(folder, distiller=distiller)
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), rate=0.1).run(clicks)
    packets = ends.ground.packets
    assert len(distiller.counted) == len(packets) > 8
    for number, counted in enumerate(distiller.counted):
        exact = {count.age: count.errors for count in counted if count.bits == 1000}
        # The exact counts of all but the last packets, and the samples of all these.
        assert exact == {
            age: round(1000 * packets[number - age].qber) for age in (2, 3, 4) if age <= number
        }
        samples = [(count.age, count.bits) for count in counted if count.bits != 1000]
        assert samples == [
            (age, packets[number - age].sampled) for age in range(min(4, number), -1, -1)
        ]
    ends.close()


def test_nothing_of_a_block_is_told_before_its_last_pulse_was_received(folder):
    """Whatever tells of signal bits comes after every sifting request of its block."""
    asked, told = [], []

    def watch(sender, message):
        match message:
            case SiftRequest():
                asked.append(int(decode_indices(message.indices)[-1]))
            case Syndrome() | BitsRequest() | BitsReply() | PacketResult():
                told.append((message.packet, max(asked)))
        return message

    ends = open_ends(folder)
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), rate=0.2, tamper=watch).run(clicks)
    # Where the last bit of every packet lies, counted from the clicks alone.
    packets = ends.ground.packets
    last_index = {packet.index: round(packet.time_s / (SLOT_PS * 1e-12)) for packet in packets}
    assert {packet for packet, _ in told} == set(last_index)
    for packet, received in told:
        last = min(packet // 3 * 3 + 2, len(packets) - 1)
        assert received >= last_index[last]
    ends.close()


class FirmDistiller(PlainDistiller):
    """Makes nothing of a disclosure without a tag."""

    def correction(self, bits, disclosure, key):
        return super().correction(bits, disclosure, key) if any(disclosure.tag) else None


def test_a_syndrome_in_a_false_name_is_not_looked_at_before_its_time(folder):
    """It makes its packet fail in the end; until then it learns nothing from the ground station."""
    answers = []
    posted = []

    def tamper(sender, message):
        if isinstance(message, PacketResult | BitsRequest) and message.packet == 0:
            answers.append(ends.ground.sifted_bits)
        if isinstance(message, SiftReply) and not posted and ends.ground.sifted_bits > 1000:
            posted.append(ends.ground.sifted_bits)
            return Syndrome(0, 1, bytes(125), bytes(16), bytes(16), 0, 0)
        return message

    ends = open_ends(folder, distiller=FirmDistiller())
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), tamper=tamper).run(clicks)
    assert posted[0] < 3000 <= min(answers)
    assert not ends.ground.packets[0].good
    assert ends.ground.blocks[0].packets == [1, 2]
    assert ends.ground.key_sha256 == ends.satellite.key_sha256
    ends.close()


def test_after_an_end_in_a_false_name_nothing_more_is_sifted(folder):
    """The satellite discloses what it has, and takes nothing that could still be attacked."""
    forged = []

    def tamper(sender, message):
        if isinstance(message, SiftRequest) and message.chunk == 2 and not forged:
            forged.append(ends.satellite.packets)
            return PassEnd(2)
        return message

    ends = open_ends(folder)
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(1))
    channel = Channel(ends, np.random.default_rng(2), tamper=tamper)
    with pytest.raises(PeerLostError):
        channel.run(clicks)
    assert ends.satellite.packets == forged[0]
    assert ends.satellite.secret_key_bits == ends.ground.secret_key_bits
    ends.close()


def test_a_sifting_request_made_up_beforehand_gives_no_key(folder):
    """One that guesses everything right but the random bits is found by the signature."""

    def tamper(sender, message):
        if isinstance(message, SiftRequest) and message.chunk == 0:
            return msgspec.structs.replace(message, nonce=bytes(16))
        return message

    ends = open_ends(folder)
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(1))
    Channel(ends, np.random.default_rng(2), tamper=tamper).run(clicks)
    assert all(packet.good for packet in ends.ground.packets)
    abandoned = [bool(block.abandoned) for block in ends.ground.blocks]
    assert abandoned[0]
    assert not any(abandoned[2:])
    assert ends.ground.key_sha256 == ends.satellite.key_sha256
    ends.close()


@pytest.mark.parametrize("lost", [AmplifyConfirm, Settle])
def test_a_key_is_ready_at_both_ends_or_not_even_pending_after_the_next_session(folder, lost):
    """The session breaks off while the second key is half agreed on; the next one settles it."""

    def tamper(sender, message):
        stop = isinstance(message, lost) and getattr(message, "block", 1) == 1
        if stop and (lost is AmplifyConfirm or message.key.endswith("0001")):
            broken.append(message)
            return Heartbeat()
        return message

    broken = []
    ends = open_ends(folder, seed=1)
    clicks = make_clicks(40_000, 0.02, np.random.default_rng(1))
    channel = Channel(ends, np.random.default_rng(2), tamper=tamper)
    channel.run(clicks, until=lambda: bool(broken))
    assert ends.satellite.unsettled_keys == 1
    ends.close()

    ends = open_ends(folder, seed=2)
    Channel(ends, np.random.default_rng(3)).run(clicks[:100])
    assert ends.satellite.unsettled_keys == 0
    keys = held_keys(ends.ground_store)
    assert keys == held_keys(ends.satellite_store)
    assert len(keys) == (1 if lost is AmplifyConfirm else 2)
    ends.close()


def test_ends_that_do_not_fit_say_why(folder):
    other = msgspec.structs.replace(PARAMETERS, block_packets=5)
    ends = open_ends(folder, ground_parameters=other)
    channel = Channel(ends, np.random.default_rng(2))
    channel.run(make_clicks(10, 0, channel.generator), until=lambda: bool(ends.ground.refusal))
    assert ends.ground.refusal == "block_packets is 5 at the ground station, 3 at the satellite"
    assert ends.satellite.refusal == ends.ground.refusal
    assert not ends.ground.ready
    ends.close()


def test_ends_with_different_codes_say_so(folder):
    other = PlainDistiller()
    other.fingerprint = b"of other matrices"
    parts = (open_parts(folder, "satellite"), open_parts(folder, "ground", distiller=other))
    satellite, ground = SatelliteSession(parts[0], lookup), GroundSession(parts[1])
    (hello,) = ground.begin(0.0)
    (reply,) = satellite.handle(hello, 0.0)
    assert "different error-correcting codes" in reply.refusal
    ground.handle(reply, 0.0)
    assert ground.refusal == reply.refusal
    assert not ground.ready
    for part in parts:
        part.store.close()
        part.secret.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("packet_bits", 0),
        ("block_packets", 0),
        ("block_packets", 10),
        ("sample_fraction", 0.0),
        ("sample_fraction", math.nan),
        ("failure_probability", 1.0),
        ("failure_probability", -math.inf),
    ],
)
def test_parameters_that_cannot_be_are_named(name, value):
    with pytest.raises(ParameterError, match=name):
        msgspec.structs.replace(PARAMETERS, **{name: value})
