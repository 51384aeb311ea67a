"""A running laboratory and its station file, shared by the tests of this folder."""

import pytest

from keybeam.instruments import read_station
from keybeam_sim.laboratory import Laboratory, station_text


@pytest.fixture(scope="module")
def laboratory():
    with Laboratory(seed=5) as running:
        yield running


@pytest.fixture(scope="module")
def station(laboratory, tmp_path_factory):
    path = tmp_path_factory.mktemp("station") / "station.toml"
    path.write_text(station_text(laboratory.resource, laboratory.bench))
    return read_station(path)
