"""Puts together what the two ends and the scenario say into the result of a pass."""

import numpy as np

from keybeam import __version__, build_revision
from keybeam.report import result as schema
from keybeam.session.statistics import (
    BlockStatistics,
    GroundStatistics,
    PacketStatistics,
    SatelliteStatistics,
)
from keybeam_sim.scenario import PassScenario

__all__ = ["assemble_result"]


def _packet(packet: PacketStatistics) -> schema.PacketResult:
    return schema.PacketResult(
        time_s=packet.time_s,
        ok=packet.good,
        sampled_qber=packet.sampled_qber,
        qber=packet.qber,
        code=packet.code,
        leak_bits=packet.leak_bits,
        efficiency=packet.efficiency,
    )


def _block(block: BlockStatistics) -> schema.BlockResult:
    return schema.BlockResult(
        time_s=block.time_s,
        counts=schema.Counts(block.signal, block.decoy, block.vacuum, block.decoy_errors),
        qber=block.qber,
        leak_bits=block.leak_bits,
        s1=block.s1,
        e1=block.e1,
        length_bits=block.length_bits,
        abandoned=block.abandoned,
    )


def _error_rate(packets: list[PacketStatistics]) -> schema.ErrorRate:
    rates = [packet.qber for packet in packets if packet.qber is not None]
    if not rates:
        return schema.ErrorRate(None, None, None, [])
    return schema.ErrorRate(float(np.mean(rates)), min(rates), max(rates), rates)


def _series(scenario: PassScenario, clicks: list[int]) -> schema.PassSeries:
    """Course of the pass at the middle of every second; a second without clicks counts zero."""
    profile = scenario.profile(step_s=0.5)
    middle = slice(1, None, 2)
    seconds = profile.time_s[middle].size
    counted = [*clicks, *[0] * seconds][:seconds]
    return schema.PassSeries(
        time_s=profile.time_s[middle].tolist(),
        elevation_deg=profile.elevation_deg[middle].tolist(),
        range_km=(profile.range_m[middle] / 1e3).tolist(),
        loss_db=profile.loss_db[middle].tolist(),
        expected_clicks=profile.rate_hz[middle].tolist(),
        clicks=counted,
    )


def assemble_result(
    scenario: PassScenario,
    ground: GroundStatistics,
    satellite: SatelliteStatistics,
    *,
    name: str,
    seed: int | None,
    keys_match: bool,
    wall_s: float,
) -> schema.PassResult:
    """Put together the result of a pass.

    Parameters
    ----------
    scenario : PassScenario
        What was simulated.
    ground, satellite : GroundStatistics, SatelliteStatistics
        What the two ends told.
    name : str
        Name of the pass.
    seed : int or None
        Seed the user gave, None for fresh randomness.
    keys_match : bool
        The key files of both ends are equal.
    wall_s : float
        Wall time of the run in seconds.
    """
    good = sum(packet.good for packet in ground.packets)
    return schema.PassResult(
        version=schema.RESULT_VERSION,
        scenario=name,
        software=f"keybeam {__version__} ({build_revision()})",
        seed=seed,
        duration_s=scenario.duration_s,
        clicks=ground.totals.clicks,
        gated=ground.totals.gated,
        sifted_bits=ground.totals.sifted_bits,
        sampled_bits=ground.totals.sampled_bits,
        packets=good,
        packets_failed=len(ground.packets) - good,
        qber=_error_rate(ground.packets),
        blocks=[_block(block) for block in ground.blocks],
        packet_list=[_packet(packet) for packet in ground.packets],
        series=_series(scenario, ground.rates.clicks),
        analysis=ground.analysis,
        failure_probability=ground.failure_probability,
        secret_key_bits=ground.secret_key_bits,
        authentication_bits=ground.authentication_bits,
        keys_match=keys_match,
        key_sha256=schema.EndHashes(satellite.key_sha256, ground.key_sha256),
        wall_s=wall_s,
    )
