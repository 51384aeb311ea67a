"""Two real processes on loopback, one of which may be killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from session_process import PARTS

from keybeam.keystore import KeyState, KeyStore

SCRIPT = Path(__file__).with_name("session_process.py")


@contextmanager
def end(name, folder, port=0, silence_s=20, parts=PARTS, seed=1):
    """A process that is one end of a session; gone at the end of the block."""
    words = [name, folder, port, silence_s, parts, seed]
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def both_ends(folder, **ground_settings):
    silence_s = ground_settings.get("silence_s", 20)
    seed = ground_settings.get("seed", 1)
    with end("satellite", folder, silence_s=silence_s, seed=seed) as satellite:
        port = json.loads(satellite.stdout.readline())["port"]
        with end("ground", folder, port, **ground_settings) as ground:
            yield satellite, ground


def wait_for_blocks(ground, count):
    while json.loads(ground.stdout.readline())["blocks"] < count:
        pass


def concluded(process):
    """Last line of a process that ended as it should."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return json.loads(out.splitlines()[-1])


def failed(process):
    """What a process told that ended with an error: one line and status 2."""
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.count("\n") == 1
    assert err.startswith("keybeam: ")
    return err


def keys(folder, name):
    """Ready keys of an end by name."""
    with KeyStore(folder / name) as store:
        names = [key.name for key in store.inventory() if key.state is KeyState.READY]
        return {key: store.deliver(key) for key in names}


def test_a_whole_session(folder):
    with both_ends(folder) as (satellite, ground):
        told = concluded(ground)
        heard = concluded(satellite)
    assert told["key_sha256"] == heard["key_sha256"]
    assert told["secret_key_bits"] == heard["secret_key_bits"] > 0
    assert told["totals"]["detections"] == told["totals"]["clicks"] == 40_000
    assert keys(folder, "ground") == keys(folder, "satellite")


@pytest.mark.parametrize("victim", ["satellite", "ground"])
def test_the_other_end_is_killed_in_mid_pass(folder, victim):
    with both_ends(folder, parts=PARTS // 2) as (satellite, ground):
        wait_for_blocks(ground, 1)
        killed, left = (satellite, ground) if victim == "satellite" else (ground, satellite)
        killed.send_signal(signal.SIGKILL)
        assert "closed the connection" in failed(left) or "broke" in failed(left)
    # Whole keys only, and whatever is ready at the satellite is ready on the ground.
    with KeyStore(folder / "ground") as store:
        ground_keys = store.inventory()
    with KeyStore(folder / "satellite") as store:
        satellite_keys = store.inventory()
    assert ground_keys
    assert all(key.state is KeyState.READY for key in ground_keys)
    ready = [key for key in satellite_keys if key.state is KeyState.READY]
    assert set(ready) <= set(ground_keys)
    # The next session settles what was open, and takes no one-time key a second time.
    with both_ends(folder, seed=2) as (satellite, ground):
        told = concluded(ground)
        assert concluded(satellite)["unsettled_keys"] == 0
    assert not any(block["abandoned"] for block in told["blocks"])
    at_ground = keys(folder, "ground")
    assert len(at_ground) == len(ground_keys) + len(told["blocks"])
    assert at_ground == keys(folder, "satellite")


def test_an_end_that_hangs_is_given_up(folder):
    with both_ends(folder, parts=PARTS // 2, silence_s=1) as (satellite, ground):
        wait_for_blocks(ground, 1)
        satellite.send_signal(signal.SIGSTOP)
        assert "nothing heard from the other end for 1 s" in failed(ground)
        satellite.send_signal(signal.SIGCONT)
        failed(satellite)


def test_a_store_that_cannot_be_written_ends_the_session(folder):
    (folder / "ground").mkdir()
    with KeyStore(folder / "ground"):
        pass
    os.truncate(folder / "ground" / "keys.sqlite", 100)
    with both_ends(folder) as (satellite, ground):
        assert "key store" in failed(ground)
        satellite.kill()
