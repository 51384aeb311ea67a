"""``keybeam flash``, with a program that writes down what openFPGALoader would be told."""

import json
import os
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from keybeam.cli import main
from keybeam_boards.errors import FlashError
from keybeam_boards.flash_command import flash
from keybeam_boards.platforms import BOARDS


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """Arguments that the program was called with; its status is that in the file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "openFPGALoader"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.said"\nexit "$(cat "$0.status")"\n')
    program.chmod(0o755)
    (folder / "openFPGALoader.status").write_text("0")
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    return folder


@pytest.fixture
def built(tmp_path):
    """Folder of a build of the evaluation board's receiver."""
    folder = tmp_path / "build"
    folder.mkdir()
    bitstream = folder / "ecp5_5g_evn_receiver.bit"
    bitstream.write_bytes(b"bits")
    (folder / "ecp5_5g_evn_receiver.json").write_text(json.dumps({"bitstream": str(bitstream)}))
    return folder


def run(*words):
    return CliRunner().invoke(flash, words, catch_exceptions=False)


def said(folder):
    return (folder / "openFPGALoader.said").read_text().split("\n")[:-1]


def test_the_last_build_goes_into_the_part(loader, built):
    done = run("--board", "ecp5_5g_evn", "--role", "receiver", "--out", str(built))
    assert done.exit_code == 0
    bitstream = str(built / "ecp5_5g_evn_receiver.bit")
    assert said(loader) == ["--board", "ecp5_evn", "--write-sram", bitstream]


def test_a_file_goes_into_the_flash_through_another_cable(loader, built):
    bitstream = str(built / "ecp5_5g_evn_receiver.bit")
    run("--board", "butterstick", "--cable", "ft232", "--permanent", bitstream)
    assert said(loader) == ["--cable", "ft232", "--write-flash", bitstream]


def test_a_dry_run_prints_the_command_and_runs_nothing(loader, built):
    done = run("--board", "ulx3s", "--dry-run", str(built / "ecp5_5g_evn_receiver.bit"))
    assert done.stdout.startswith("openFPGALoader --board ulx3s --write-sram ")
    assert not (loader / "openFPGALoader.said").exists()


def test_a_failure_of_the_program_is_one_of_the_command(loader, built):
    (loader / "openFPGALoader.status").write_text("3")
    with pytest.raises(FlashError, match="ended with status 3: is the board connected"):
        run("--board", "ecp5_5g_evn", "--role", "receiver", "--out", str(built))


def test_a_missing_program_is_one_line_that_says_how_to_install_it(built, monkeypatch, capsys):
    monkeypatch.setenv("OPENFPGALOADER", "no-such-loader")
    words = ["flash", "--board", "ecp5_5g_evn", "--role", "receiver", "--out", str(built)]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert "no-such-loader is not installed: sudo apt install openfpgaloader" in message


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--board", "ecp5_5g_evn"], "say which bitstream"),
        (
            ["--board", "ecpix5", "--role", "receiver"],
            r"there is no .*: keybeam build --board ecpix5",
        ),
        (["--board", "butterstick", "{bit}"], "no programmer of its own: say with --cable"),
    ],
)
def test_what_is_missing_is_said(loader, built, words, complaint):
    words = [word.format(bit=built / "ecp5_5g_evn_receiver.bit") for word in words]
    with pytest.raises(FlashError, match=complaint):
        run("--out", str(built), *words)
    assert not (loader / "openFPGALoader.said").exists()


def test_a_build_without_bitstream_is_not_flashed(loader, built):
    (built / "ecp5_5g_evn_receiver.json").write_text('{"bitstream": null}')
    with pytest.raises(FlashError, match="gave no bitstream"):
        run("--board", "ecp5_5g_evn", "--role", "receiver", "--out", str(built))


NAMES = {
    "ecp5_evn": "ecp5_5g_evn",
    "ecpix5": "ecpix5",
    "ulx3s": "ulx3s",
    "colorlight": "colorlight_5a75b",
    "ice40_generic": "icebreaker",
}
"""Boards that openFPGALoader 0.10 lists (``openFPGALoader --list-boards``), and ours."""


def test_boards_are_named_as_openfpgaloader_does():
    named = {
        board.loader[board.loader.index("--board") + 1]: name
        for name, board in BOARDS.items()
        if "--board" in board.loader
    }
    assert named == NAMES
    program = shutil.which("openFPGALoader")
    if program is not None:  # and as the one that is installed does
        listed = subprocess.run([program, "--list-boards"], capture_output=True, text=True).stdout
        assert named.keys() <= {line.split()[0] for line in listed.splitlines() if line}
