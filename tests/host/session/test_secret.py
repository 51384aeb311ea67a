import os
import resource
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.session import PresharedSecret, SecretError, create_secret_pair
from keybeam.session.authentication import authenticate, verify
from keybeam.session.secret import Direction


def poly1305(key: bytes, message: bytes) -> bytes:
    """Plain Poly1305 after RFC 8439, section 2.5."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    value = 0
    for start in range(0, len(message), 16):
        block = message[start : start + 16] + b"\1"
        value = (value + int.from_bytes(block, "little")) * r % ((1 << 130) - 5)
    return ((value + int.from_bytes(key[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def test_the_plain_poly1305_here_is_that_of_the_standard():
    # RFC 8439, section 2.5.2.
    key = "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b"
    message = b"Cryptographic Forum Research Group"
    assert poly1305(bytes.fromhex(key), message).hex() == "a8061dc1305136c6c22b8baf0c0127a9"


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=40), max_size=5))
def test_a_tag_is_poly1305_of_lengths_and_parts(key, parts):
    message = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    tag = authenticate(key, parts)
    assert tag == poly1305(key, message)
    assert verify(key, parts, tag)
    assert not verify(key, parts, bytes([tag[0] ^ 1]) + tag[1:])


def test_parts_cannot_be_shifted():
    key = os.urandom(32)
    tag = authenticate(key, [b"ab", b"c"])
    assert verify(key, [b"ab", b"c"], tag)
    assert not verify(key, [b"a", b"bc"], tag)
    assert not verify(key, [b"abc"], tag)
    assert not verify(key, [b"ab", b"c", b""], tag)


def test_both_ends_have_the_same_keys_in_disjoint_halves(folder):
    with (
        PresharedSecret(folder / "satellite.secret", Direction.FROM_SATELLITE) as satellite,
        PresharedSecret(folder / "ground.secret", Direction.FROM_GROUND) as ground,
    ):
        assert satellite.name == ground.name
        seen = set()
        for sender, receiver in ((satellite, ground), (ground, satellite)) * 5:
            offset, key = sender.draw()
            assert receiver.expected(offset) == key
            receiver.accept(offset)
            assert receiver.expected(offset) is None
            seen.add(key)
        assert len(seen) == 10
        assert satellite.used_bytes == ground.used_bytes == 10 * 32


def test_no_key_is_ever_used_twice_across_restarts(folder):
    seen = []
    for _ in range(5):
        with PresharedSecret(folder / "ground.secret", Direction.FROM_GROUND) as secret:
            seen += [secret.draw()[1] for _ in range(3)]
    assert len(set(seen)) == 15
    # Their bytes are no longer in the file either.
    content = (folder / "ground.secret").read_bytes()
    assert not any(key in content for key in seen)


def test_no_key_is_used_twice_after_a_kill(folder):
    program = """
import os, signal, sys
from pathlib import Path
from keybeam.session.secret import Direction, PresharedSecret
secret = PresharedSecret(Path(sys.argv[1]), Direction.FROM_GROUND)
keys = [secret.draw()[1].hex() for _ in range(int(sys.argv[2]))]
print("\\n".join(keys), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    seen = []
    for count in ("3", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program, folder / "ground.secret", count],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        seen += done.stdout.split()
    assert len(set(seen)) == len(seen) == 4


def test_a_torn_note_leaves_the_one_before(folder):
    path = folder / "ground.secret"
    with PresharedSecret(path, Direction.FROM_GROUND) as secret:
        first = [secret.draw() for _ in range(2)]
    # Note 3 goes where note 1 stood; a crash tears it before its key is given out.
    content = bytearray(path.read_bytes())
    content[1024:1040] = os.urandom(16)
    path.write_bytes(content)
    with PresharedSecret(path, Direction.FROM_GROUND) as secret:
        assert secret.draw()[0] == first[-1][0] + 32


def test_used_up(folder):
    create_secret_pair(folder / "a", folder / "b", tags=2)
    with PresharedSecret(folder / "a", Direction.FROM_GROUND) as secret:
        assert secret.remaining == 2
        secret.draw()
        secret.draw()
        assert secret.remaining == 0
        with pytest.raises(SecretError, match="used up"):
            secret.draw()


def _cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def _scramble_notes(path):
    content = bytearray(path.read_bytes())
    content[512:540] = content[1024:1052] = bytes(28)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(b"hello"), "not a file"),
        (_cut, "cut short"),
        (_scramble_notes, "note"),
    ],
)
def test_a_file_that_cannot_be_used(folder, harm, told):
    path = folder / "ground.secret"
    harm(path)
    with pytest.raises(SecretError, match=told) as caught:
        PresharedSecret(path, Direction.FROM_GROUND)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_note_that_was_turned_back_gives_no_old_key(folder):
    path = folder / "ground.secret"
    fresh = path.read_bytes()[:1536]
    with PresharedSecret(path, Direction.FROM_GROUND) as secret:
        secret.draw()
    path.write_bytes(fresh + path.read_bytes()[1536:])
    with (
        PresharedSecret(path, Direction.FROM_GROUND) as secret,
        pytest.raises(SecretError, match="damaged"),
    ):
        secret.draw()


def test_two_processes_cannot_share_a_copy(folder):
    with (
        PresharedSecret(folder / "ground.secret", Direction.FROM_GROUND),
        pytest.raises(SecretError, match="in use"),
    ):
        PresharedSecret(folder / "ground.secret", Direction.FROM_GROUND)


def test_a_secret_is_never_overwritten_and_is_private(folder):
    with pytest.raises(SecretError, match="already"):
        create_secret_pair(folder / "new", folder / "ground.secret", tags=1)
    assert not (folder / "new").exists()
    assert (folder / "ground.secret").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_no_half_secret(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            create_secret_pair(tmp_path / "a", tmp_path / "b", tags=1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
