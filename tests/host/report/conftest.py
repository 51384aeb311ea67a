import numpy as np
import pytest

from keybeam.report import result as schema


@pytest.fixture
def pass_result() -> schema.PassResult:
    """A small pass whose totals agree with its parts."""
    seconds = np.arange(300) + 0.5
    clicks = (16e3 * np.sin(np.pi * seconds / 300)).astype(int)
    packets = [
        schema.PacketResult(
            time_s=15.0 * (k + 1),
            ok=k != 3,
            sampled_qber=0.01,
            qber=None if k == 3 else 0.008 + 0.0005 * k,
            code=7,
            leak_bits=9_800,
            efficiency=None if k == 3 else 1.2,
        )
        for k in range(11)
    ]
    rates = [packet.qber for packet in packets if packet.qber is not None]
    blocks = [
        schema.BlockResult(
            time_s=time,
            counts=schema.Counts(500_000, 34_375, 3_879, 1_878),
            qber=0.0101,
            leak_bits=49_000,
            s1=195_994.8,
            e1=0.0316,
            length_bits=107_392,
            abandoned="",
        )
        for time in (90.0, 165.0)
    ]
    return schema.PassResult(
        version=schema.RESULT_VERSION,
        scenario="A <test> pass",
        software="keybeam 0",
        seed=1,
        duration_s=300.0,
        clicks=int(clicks.sum()),
        gated=int(0.8 * clicks.sum()),
        sifted_bits=1_012_345,
        sampled_bits=112_000,
        packets=10,
        packets_failed=1,
        qber=schema.ErrorRate(float(np.mean(rates)), min(rates), max(rates), rates),
        blocks=blocks,
        packet_list=packets,
        series=schema.PassSeries(
            time_s=seconds.tolist(),
            elevation_deg=(34.1 * np.sin(np.pi * seconds / 300)).tolist(),
            range_km=(1500 - 650 * np.sin(np.pi * seconds / 300)).tolist(),
            loss_db=[40.0] * 300,
            expected_clicks=clicks.astype(float).tolist(),
            clicks=clicks.tolist(),
        ),
        analysis="composable",
        failure_probability=1e-10,
        secret_key_bits=214_784,
        authentication_bits=1_024,
        keys_match=True,
        key_sha256=schema.EndHashes("a" * 64, "a" * 64),
        wall_s=60.0,
    )
