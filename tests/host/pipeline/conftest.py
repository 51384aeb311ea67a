"""A recorded pass of a few packets, simulated once."""

import msgspec
import pytest

from keybeam.key_length import Analysis
from keybeam.pipeline import PipelineSettings, process_pass
from keybeam.session.parameters import default_parameters
from keybeam_sim.recording import SOURCES, RecordedLink, record_pass

FRAMES = 130


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """Files of a pass of six packets: half of the photons make a click."""
    folder = tmp_path_factory.mktemp("recorded")
    link = RecordedLink(efficiency=0.5)
    record_pass(folder / "tags.h5", folder / "symbols.h5", frames=FRAMES, link=link, seed=5)
    return folder


def settings_for(recorded, key):
    """Blocks of four packets by the quick analysis, all in one process."""
    return PipelineSettings(
        captures=(recorded / "tags.h5",),
        symbols=recorded / "symbols.h5",
        workers=0,
        parameters=default_parameters(4, Analysis.PAPER),
        key=key,
        seed=3,
    )


@pytest.fixture
def settings(recorded, tmp_path):
    return settings_for(recorded, tmp_path / "pass.key")


@pytest.fixture(scope="session")
def processed(recorded, tmp_path_factory):
    """What came of the pass in one process, and its key."""
    settings = settings_for(recorded, tmp_path_factory.mktemp("processed") / "pass.key")
    return process_pass(settings), settings.key.read_bytes()


@pytest.fixture(scope="session")
def biased(tmp_path_factory):
    """Settings for a pass with a basis that only checks, in blocks of all its packets."""
    folder, source = tmp_path_factory.mktemp("biased"), SOURCES["fibre"]
    files = folder / "tags.h5", folder / "symbols.h5"
    record_pass(*files, frames=FRAMES, link=RecordedLink(source, efficiency=0.5), seed=6)
    return PipelineSettings(
        captures=files[:1],
        symbols=files[1],
        workers=0,
        parameters=msgspec.structs.replace(
            default_parameters(),
            intensities=source.intensities,
            probabilities=source.probabilities,
            sample_fraction=0.02,
        ),
        key_basis_probability=source.key_basis_probability,
        block_packets=20,
        seed=4,
    )
