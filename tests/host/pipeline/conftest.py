"""A recorded pass of a few packets, simulated once."""

from dataclasses import replace

import pytest

from keybeam.key_length import Analysis
from keybeam.pipeline import PipelineSettings
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


@pytest.fixture
def settings(recorded, tmp_path):
    """Blocks of four packets by the quick analysis, with the key in a file."""
    parameters = default_parameters(4, Analysis.PAPER)
    return PipelineSettings(
        captures=(recorded / "tags.h5",),
        symbols=recorded / "symbols.h5",
        workers=0,
        parameters=parameters,
        key=tmp_path / "pass.key",
        seed=3,
    )


@pytest.fixture
def without_key(settings):
    return replace(settings, key=None)
