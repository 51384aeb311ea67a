"""A recorded pass of a few packets, simulated once."""

import pytest

from keybeam.key_length import Analysis
from keybeam.pipeline import PipelineSettings, process_pass
from keybeam.session.parameters import default_parameters
from keybeam_sim.recording import RecordedLink, record_pass

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
