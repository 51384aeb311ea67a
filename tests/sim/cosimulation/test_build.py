from pathlib import Path

import cocotb_tools.config
import pytest

from keybeam_sim.cosimulation import build
from keybeam_sim.cosimulation.settings import BoardSettings


@pytest.fixture
def built(monkeypatch, tmp_path):
    """Folders of the simulations that were compiled, which nobody does here."""
    folders = []

    def compile_boards(settings, simulator, folder, report_progress):
        folder.mkdir(parents=True)
        folders.append(folder)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "_build", compile_boards)
    return folders


def test_a_simulation_is_compiled_once_for_each_kind_of_boards(built):
    first = build.build_boards(BoardSettings())
    assert build.build_boards(BoardSettings()) == first
    other = build.build_boards(BoardSettings(lines=1))
    assert built == [first, other]


def test_a_simulation_of_another_environment_is_not_taken(built, monkeypatch):
    build.build_boards(BoardSettings())
    monkeypatch.setattr(cocotb_tools.config, "libs_dir", Path("/elsewhere/cocotb/libs"))
    build.build_boards(BoardSettings())
    assert len(set(built)) == 2
