"""Runs a simulated pass: the twin, the satellite and the ground station, each a process."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from keybeam.key_length import Analysis
from keybeam.keystore import KeyStore
from keybeam.report import PassResult, render_page
from keybeam.session.running import GroundProgress
from keybeam.session.secret import MESSAGES_PER_BLOCK, create_secret_pair
from keybeam.session.statistics import GroundStatistics, SatelliteStatistics
from keybeam_sim.main_job.assemble import assemble_result
from keybeam_sim.main_job.output import RESULT_FILE, output_folder
from keybeam_sim.main_job.processes import ChildError, Children
from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin import TwinProcess

__all__ = ["run_pass"]

_BLOCKS = 100
"""Blocks that the pre-shared secret of a pass can authenticate; 300 s give four or five."""
_SILENCE_S = 120.0
"""How long both ends may say nothing before the pass is given up."""
_LISTENING = "listening at "


def run_pass(
    target: Path,
    *,
    name: str,
    duration_s: float,
    seed: int | None,
    record: bool,
    analysis: Analysis,
    report_progress: Callable[[GroundProgress], None],
) -> PassResult:
    """Run a pass and write its results into a folder.

    Parameters
    ----------
    target : Path
        Folder for ``result.json``, ``report.html`` and the two key files; it appears, or takes
        the place of an earlier pass, only when the pass is complete.
    name : str
        Name of the pass in the report.
    duration_s : float
        Length of the pass in seconds.
    seed : int or None
        Of all randomness, for a repeatable run; None takes the operating system's.
    record : bool
        Also write the receiver's tag records, as ``pass.h5``.
    analysis : Analysis
        Analysis of the key length.
    report_progress : callable
        Called about twice a second while clicks are taken.

    Returns
    -------
    PassResult

    Raises
    ------
    KeybeamError
        If one of the ends fails, or the folder cannot be used.
    OSError
        If something cannot be written.
    """
    begin = time.monotonic()
    scenario = PassScenario(
        seed=secrets.randbits(64) if seed is None else seed, duration_s=duration_s
    )
    with output_folder(target) as folder:
        create_secret_pair(
            folder / "satellite.secret", folder / "ground.secret", MESSAGES_PER_BLOCK * _BLOCKS
        )
        with TwinProcess(scenario) as twin, Children() as children:
            _distil(children, twin, folder, duration_s, seed, record, analysis, report_progress)
        result = assemble_result(
            scenario,
            msgspec.json.decode((folder / "ground.json").read_bytes(), type=GroundStatistics),
            msgspec.json.decode((folder / "satellite.json").read_bytes(), type=SatelliteStatistics),
            name=name,
            seed=seed,
            keys_match=_deliver_keys(folder),
            wall_s=time.monotonic() - begin,
        )
        (folder / "report.html").write_text(render_page(result), "utf-8")
        content = msgspec.json.format(msgspec.json.encode(result), indent=2)
        (folder / RESULT_FILE).write_bytes(content + b"\n")
        for end in ("satellite", "ground"):
            (folder / f"{end}.secret").unlink()
            (folder / f"{end}.json").unlink()
    return result


def _distil(
    children: Children,
    twin: TwinProcess,
    folder: Path,
    duration_s: float,
    seed: int | None,
    record: bool,
    analysis: Analysis,
    report_progress: Callable[[GroundProgress], None],
) -> None:
    """Run the two ends until both have ended well."""
    common = ["--analysis", analysis.value]
    common += [] if seed is None else ["--seed", str(seed)]
    satellite = ["--device", twin.transmitter_url, "--listen", "127.0.0.1:0"]
    satellite += ["--duration", str(duration_s), "--json", str(folder / "satellite.json")]
    ground = ["--device", twin.receiver_url, "--statistics", str(folder / "ground.json")]
    ground += ["--progress", "json"]
    ground += ["--record", str(folder / "pass.h5")] if record else []
    options = {"satellite": satellite + common, "ground": ground + common}

    def start(end: str, *more: str) -> None:
        own = ["--preshared", str(folder / f"{end}.secret"), "--keys", str(folder / f"{end}-keys")]
        children.start(end, "-m", "keybeam", end, *options[end], *own, *more)

    start("satellite")
    lines = children.lines(timeout_s=_SILENCE_S)
    for child, text in lines:
        if child == "satellite" and text.startswith(_LISTENING):
            start("ground", "--connect", text.removeprefix(_LISTENING))
        elif child == "ground":
            report_progress(msgspec.json.decode(text, type=GroundProgress))
    if not (folder / "ground.json").exists():
        raise ChildError("satellite: ended before the ground station could connect")


def _deliver_keys(folder: Path) -> bool:
    """Take the keys out of both stores into key files; whether the files are equal."""
    contents = []
    for end in ("satellite", "ground"):
        with KeyStore(folder / f"{end}-keys") as store:
            store.export_key_file(folder / f"{end}.key")
        contents.append((folder / f"{end}.key").read_bytes())
        for file in (folder / f"{end}-keys").iterdir():
            file.unlink()
        (folder / f"{end}-keys").rmdir()
    return secrets.compare_digest(*contents)
