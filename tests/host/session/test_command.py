"""What the commands say to wrong use."""

import socket

import pytest
from click.testing import CliRunner

from keybeam.cli import main
from keybeam.session import PresharedSecret, create_secret_pair
from keybeam.session.command import preshared
from keybeam.session.secret import Direction


def told(capsys, words):
    """Run `keybeam` with words that cannot work; return what it says on standard error."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


def options(folder, end):
    return [end, "--preshared", folder / f"{end}.secret", "--keys", folder / f"{end}-keys"]


@pytest.fixture
def silent_port():
    """A TCP port where something listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("end", "option", "value"),
    [
        ("satellite", "--listen", "nowhere"),
        ("satellite", "--listen", "127.0.0.1:99999"),
        ("ground", "--connect", ":7000"),
        ("ground", "--block-packets", "10"),
        ("ground", "--progress", "loud"),
        ("ground", "--silence", "0"),
    ],
)
def test_wrong_option_values(capsys, folder, end, option, value):
    words = [*options(folder, end), "--device", "tcp:127.0.0.1:1", option, value]
    assert f"Invalid value for '{option}'" in told(capsys, words)


@pytest.mark.parametrize("end", ["satellite", "ground"])
def test_a_missing_secret(capsys, folder, end):
    (folder / f"{end}.secret").unlink()
    err = told(capsys, [*options(folder, end), "--device", "tcp:127.0.0.1:1"])
    assert err == f"keybeam: pre-shared secret {folder}/{end}.secret: No such file or directory\n"
    assert not (folder / f"{end}-keys").exists()


def test_a_secret_that_is_used_up(capsys, folder):
    (folder / "ground.secret").unlink()
    create_secret_pair(folder / "other", folder / "ground.secret", tags=1)
    err = told(capsys, [*options(folder, "ground"), "--device", "tcp:127.0.0.1:1"])
    assert "used up" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("end", ["satellite", "ground"])
def test_a_board_that_is_not_there(capsys, folder, end):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    err = told(capsys, [*options(folder, end), "--device", f"tcp:127.0.0.1:{port}"])
    assert err.count("\n") == 1
    assert str(port) in err


def test_a_secret_in_use(capsys, folder, silent_port):
    with PresharedSecret(folder / "ground.secret", Direction.FROM_GROUND):
        words = [*options(folder, "ground"), "--device", f"tcp:127.0.0.1:{silent_port}"]
        assert "in use" in told(capsys, words)


def test_making_a_secret(folder):
    words = [str(folder / "a.secret"), str(folder / "b.secret"), "--blocks", "3"]
    assert CliRunner().invoke(preshared, words).exit_code == 0
    with PresharedSecret(folder / "b.secret", Direction.FROM_GROUND) as secret:
        assert secret.remaining == 6
