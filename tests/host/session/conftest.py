import sys
from pathlib import Path

import pytest

from keybeam.session import create_secret_pair

# Tests are imported without packages, so what they share is found here.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the two copies of a secret."""
    create_secret_pair(tmp_path / "satellite.secret", tmp_path / "ground.secret", tags=1000)
    return tmp_path
