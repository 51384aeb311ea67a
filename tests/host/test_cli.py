import re
import subprocess
import sys

import click
import pytest

from keybeam._version import _revision_of
from keybeam.cli import command_line, main


def run(*words):
    command = [sys.executable, "-m", "keybeam", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_version_tells_the_revision():
    done = run("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"keybeam \d+\.\d+\.\d+ \(([0-9a-f]{7,}(-dirty)?|unknown)\)\n", done.stdout)


def test_figures_written_into_the_docs_leave_the_revision_clean(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    (tmp_path / "docs").mkdir()
    source, page = tmp_path / "source.py", tmp_path / "docs" / "page.md"
    for file in (source, page):
        file.write_text("one\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True, timeout=60)
    clean = _revision_of(tmp_path)
    assert re.fullmatch("[0-9a-f]{12}", clean)
    page.write_text("two\n")
    assert _revision_of(tmp_path) == clean
    source.write_text("two\n")
    assert _revision_of(tmp_path) == f"{clean}-dirty"


@pytest.mark.parametrize("words", [["nonsense"], ["--nonsense"], ["keylength", "--qber", "high"]])
def test_wrong_words_are_one_clear_error(words):
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr


def test_every_command_has_an_example():
    context = click.Context(command_line)
    names = command_line.list_commands(context)
    assert {"pass", "cosim", "registers", "keylength", "build"} <= set(names)
    for name in names:
        command = command_line.get_command(context, name)
        text = command.get_help(click.Context(command, info_name=f"keybeam {name}"))
        assert "\\b" not in text, name
        assert re.search(rf"\n *Examples?:\n +(keybeam|\$ keybeam) {name}\b", text), name


@pytest.mark.parametrize("status", [1, 3])
def test_the_status_of_a_command_is_that_of_the_process(status, monkeypatch):
    @command_line.command("end-with-a-status")
    @click.pass_context
    def end(ctx: click.Context) -> None:
        ctx.exit(status)

    monkeypatch.setitem(command_line.commands, "end-with-a-status", end)
    with pytest.raises(SystemExit) as stop:
        main(["end-with-a-status"])
    assert stop.value.code == status


def test_a_full_disk_is_one_clear_line(monkeypatch, capsys):
    @command_line.command("write-on-a-full-disk")
    def write() -> None:
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)

    monkeypatch.setitem(command_line.commands, "write-on-a-full-disk", write)
    with pytest.raises(SystemExit) as stop:
        main(["write-on-a-full-disk"])
    assert stop.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "No space left" in lines[0]
    assert "free some space" in lines[0]
