"""What a pass gave: the schema of ``result.json``.

A description of every field is kept beside its type, and ``docs/result.md``
is generated from it (see `schema_table`).
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from keybeam.errors import KeybeamError

__all__ = [
    "RESULT_VERSION",
    "BlockResult",
    "Counts",
    "EndHashes",
    "ErrorRate",
    "PacketResult",
    "PassResult",
    "PassSeries",
    "ResultFileError",
    "read_result",
    "schema_table",
]

RESULT_VERSION = 2


class ResultFileError(KeybeamError):
    """A ``result.json`` that cannot be read, or is not one."""


def _says(text: str) -> Meta:
    return Meta(description=text)


class ErrorRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Quantum bit error rate of the reconciled packets, counted exactly."""

    mean: Annotated[float | None, _says("errors over bits of all good packets; null without one")]
    min: Annotated[float | None, _says("lowest of a packet; null without one")]
    max: Annotated[float | None, _says("highest of a packet; null without one")]
    per_packet: Annotated[list[float], _says("one value a good packet, in order")]


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clicks of a block with matching basis and not sampled, from which the key length follows."""

    signal: Annotated[int, _says("S_μ, clicks of signal pulses: the bits of the block")]
    decoy: Annotated[int, _says("S_ν, clicks of decoy pulses")]
    vacuum: Annotated[int, _says("S_o, clicks of vacuum pulses")]
    decoy_errors: Annotated[int, _says("T_ν, wrong bits among the decoy clicks")]


class BlockResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One privacy-amplification block."""

    time_s: Annotated[float, _says("time in the pass at which its last click came, in s")]
    counts: Annotated[Counts, _says("counts of the block")]
    qber: Annotated[float, _says("exact error rate of its signal bits")]
    leak_bits: Annotated[int, _says("bits disclosed: syndromes, bits told beside them, tags")]
    s1: Annotated[float, _says("lower bound of the single-photon signal clicks")]
    e1: Annotated[float, _says("upper bound of their phase error rate")]
    length_bits: Annotated[int, _says("length of its secret key, a multiple of 128")]
    abandoned: Annotated[str, _says("why the block was given up; empty where it was not")]


class PacketResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reconciliation packet."""

    time_s: Annotated[float, _says("time in the pass at which its last click came, in s")]
    ok: Annotated[bool, _says("corrected and verified; a failed packet is dropped by both ends")]
    sampled_qber: Annotated[float, _says("error rate of the sampled bits")]
    qber: Annotated[float | None, _says("exact error rate; null where the packet failed")]
    code: Annotated[int, _says("identifier of the code")]
    leak_bits: Annotated[int, _says("bits disclosed: syndrome, bits told beside it, tag")]
    efficiency: Annotated[
        float | None, _says("leak over the Shannon limit n·H(qber); null where the packet failed")
    ]


class PassSeries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Once a second, what the plots show."""

    time_s: Annotated[list[float], _says("middle of the second, from the start of the pass, in s")]
    elevation_deg: Annotated[list[float], _says("elevation of the satellite, in degrees")]
    range_km: Annotated[list[float], _says("distance of the satellite, in km")]
    loss_db: Annotated[list[float], _says("mean link loss, detectors included, in dB")]
    expected_clicks: Annotated[list[float], _says("clicks the link model expects in the second")]
    clicks: Annotated[list[int], _says("clicks found in the frames of the second, before the gate")]


class EndHashes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SHA-256 of all key bits of each end, in order of the blocks, as 64 hexadecimal digits."""

    satellite: Annotated[str, _says("of the satellite's keys")]
    ground: Annotated[str, _says("of the ground station's keys")]


class PassResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Result of one pass."""

    version: Annotated[int, _says(f"version of this schema, {RESULT_VERSION}")]
    scenario: Annotated[str, _says("name of the pass")]
    software: Annotated[str, _says("version and git revision that ran")]
    seed: Annotated[int | None, _says("seed of a repeatable simulation; null: fresh randomness")]
    duration_s: Annotated[float, _says("duration of the pass, in s")]
    clicks: Annotated[int, _says("clicks with a pulse index, in running frames, before the gate")]
    gated: Annotated[int, _says("clicks inside the gate")]
    sifted_bits: Annotated[
        int, _says("signal bits with matching basis, not sampled; incomplete last packet included")
    ]
    sampled_bits: Annotated[
        int, _says("signal bits with matching basis, revealed to estimate the error rate")
    ]
    packets: Annotated[int, _says("packets that were corrected and verified")]
    packets_failed: Annotated[int, _says("packets that were dropped")]
    qber: Annotated[ErrorRate, _says("error rates of the good packets")]
    blocks: Annotated[list[BlockResult], _says("privacy-amplification blocks, in order")]
    packet_list: Annotated[list[PacketResult], _says("all packets, in order")]
    series: Annotated[PassSeries, _says("what the plots show")]
    analysis: Annotated[str, _says("analysis of the key length: composable or paper")]
    failure_probability: Annotated[
        float, _says("ε_sec of each block (composable), or ξ of each bound (paper)")
    ]
    secret_key_bits: Annotated[int, _says("secret key, all blocks together")]
    authentication_bits: Annotated[
        int, _says("bits of pre-shared secret used up by authentication; net key is less by these")
    ]
    keys_match: Annotated[bool, _says("the two ends hold the same key")]
    key_sha256: Annotated[EndHashes, _says("hashes of both ends' keys")]
    wall_s: Annotated[float, _says("wall time of the run, in s; differs from run to run")]


def read_result(path: Path) -> PassResult:
    """Read a ``result.json``.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ResultFileError
        If the file is no result of a pass; the message names the first wrong field.
    OSError
        If it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=PassResult)
    except msgspec.DecodeError as error:
        raise ResultFileError(f"{path}: not the result of a pass: {error}") from error


def _type_name(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_type_name(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type_name(schema['items'])}"
    return str(schema.get("type", "any"))


def schema_table() -> str:
    """Markdown tables that describe ``result.json``, one a structure."""
    (_,), definitions = msgspec.json.schema_components([PassResult])
    order = [PassResult, ErrorRate, BlockResult, Counts, PacketResult, PassSeries, EndHashes]
    lines: list[str] = []
    for struct in order:
        schema = definitions[struct.__name__]
        summary = (struct.__doc__ or "").splitlines()[0]
        lines += [f"## {struct.__name__}", "", summary, "", "| field | type | meaning |"]
        lines += ["| --- | --- | --- |"]
        for name, field in schema["properties"].items():
            lines.append(f"| `{name}` | {_type_name(field)} | {field.get('description', '')} |")
        lines.append("")
    return "\n".join(lines)
