import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keybeam.protocol.link import LookupStatus
from keybeam.protocol.symbols import Basis, Intensity, Polarisation
from keybeam.sifting import ChunkCutter, PacketAssembler, SiftedClicks, compare

CLICKS = np.dtype([("index", "<u8"), ("channel", "u1")])


@given(
    st.lists(st.integers(0, 3000), unique=True, max_size=120).map(sorted),
    st.lists(st.integers(0, 120), max_size=6).map(sorted),
    st.integers(1, 9),
)
def test_chunks_depend_on_the_clicks_alone(indices, cuts, most):
    clicks = np.zeros(len(indices), CLICKS)
    clicks["index"] = indices
    cutter = ChunkCutter(250, most)
    chunks = [chunk for part in np.split(clicks, cuts) for chunk in cutter.feed(part)]
    chunks += cutter.flush()

    expected = []
    for index in indices:
        fits = expected and len(expected[-1]) < most and expected[-1][0] // 250 == index // 250
        if fits:
            expected[-1].append(index)
        else:
            expected.append([index])
    assert [chunk["index"].tolist() for chunk in chunks] == expected


def test_comparison():
    sent = [
        (LookupStatus.FOUND, Intensity.SIGNAL, Polarisation.V, Basis.RECTILINEAR),
        (LookupStatus.FOUND, Intensity.SIGNAL, Polarisation.D, Basis.RECTILINEAR),
        (LookupStatus.FOUND, Intensity.DECOY, Polarisation.A, Basis.DIAGONAL),
        (LookupStatus.FOUND, Intensity.INVALID, Polarisation.H, Basis.RECTILINEAR),
        (LookupStatus.TOO_OLD, Intensity.SIGNAL, Polarisation.H, Basis.RECTILINEAR),
        (LookupStatus.TOO_NEW, Intensity.SIGNAL, Polarisation.H, Basis.RECTILINEAR),
        (LookupStatus.FOUND, Intensity.VACUUM, Polarisation.D, Basis.DIAGONAL),
    ]
    status, intensity, polarisation, basis = (
        np.array(x, np.uint8) for x in zip(*sent, strict=True)
    )
    found = compare(status, intensity << 2 | polarisation, basis)
    assert found.matching.tolist() == [True, False, True, False, False, False, True]
    assert found.intensities.tolist() == [Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM]
    assert found.bits.tolist() == [1, 1, 0]
    assert (found.too_old, found.too_new, found.invalid) == (1, 1, 1)


def plain_packets(clicks, packet_bits):
    """Walk through (chunk, place, intensity, sampled, bit, error) one by one."""
    packets, current, begin = [], [], None
    for chunk, place, _size, click in clicks:
        begin = begin or (chunk, place)
        current.append(click)
        if sum(i == Intensity.SIGNAL and not s for i, s, _, _ in current) == packet_bits:
            packets.append((begin, (chunk, place), current))
            current, begin = [], None
    return packets


click = st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 1), st.booleans())


@given(st.lists(st.lists(click, max_size=30), max_size=8), st.integers(1, 7))
def test_packets_against_walking_click_by_click(chunks, packet_bits):
    assembler = PacketAssembler(packet_bits)
    packets, numbered = [], []
    for number, chunk in enumerate(chunks):
        columns = np.array(chunk, np.uint8).reshape(-1, 4).T
        clicks = SiftedClicks(
            np.arange(columns.shape[1], dtype=np.uint64) + np.uint64(100 * number),
            columns[0],
            columns[1].astype(bool),
            columns[2],
            columns[3].astype(bool),
        )
        packets += assembler.feed(clicks)
        numbered += [(number, place, len(chunk), item) for place, item in enumerate(chunk)]

    expected = plain_packets(numbered, packet_bits)
    assert len(packets) == len(expected) == assembler.packets
    for number, (packet, (begin, end, clicks)) in enumerate(zip(packets, expected, strict=True)):
        kept = [item for item in clicks if not item[1]]
        sampled = [item for item in clicks if item[1] and item[0] == Intensity.SIGNAL]
        assert packet.number == number
        assert packet.bits.tolist() == [b for i, _, b, _ in kept if i == Intensity.SIGNAL]
        assert packet.decoy == sum(i == Intensity.DECOY for i, *_ in kept)
        assert packet.vacuum == sum(i == Intensity.VACUUM for i, *_ in kept)
        assert packet.decoy_errors == sum(i == Intensity.DECOY and e for i, _, _, e in kept)
        assert (packet.sampled, packet.sampled_errors) == (
            len(sampled),
            sum(e for *_, e in sampled),
        )
        assert (packet.last_chunk, packet.last_click) == end
        assert packet.last_index == 100 * end[0] + end[1]
        # An empty chunk may lie between the end of one packet and the first click of the next.
        assert (packet.first_chunk, packet.first_click) <= begin
    total = sum(i == Intensity.SIGNAL and not s for _, _, _, (i, s, _, _) in numbered)
    assert assembler.pending_bits == total - packet_bits * len(packets)
