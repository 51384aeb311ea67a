import json
import os
import threading

import pytest

from keybeam.whole_files import part_of, whole_file, write_json, write_whole


def test_a_file_takes_the_place_of_an_older_one(tmp_path):
    path = tmp_path / "report.txt"
    write_whole(path, "first")
    write_whole(path, "zweites µ")
    assert path.read_bytes() == "zweites µ".encode()
    write_whole(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_half_way_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "report.txt"
    write_whole(path, "first")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as part:
        part.write_text("half")
        assert part == part_of(path)
        assert path.read_text() == "first"
        raise KeyboardInterrupt
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "missing" / "report.txt", "text")


def test_links_are_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "report.txt"
    link.symlink_to(elsewhere / "report.txt")
    write_whole(link, "text")
    assert link.is_symlink()
    assert (elsewhere / "report.txt").read_text() == "text"


def test_a_pipe_is_written_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "text")
    reader.join(10)
    assert read == ["text"]
    assert pipe.is_fifo()


def test_json_is_for_people_too(tmp_path):
    path = tmp_path / "report.json"
    write_json(path, {"rate": 1.5, "at": 1 + 2j}, enc_hook=str)
    assert json.loads(path.read_text()) == {"rate": 1.5, "at": "(1+2j)"}
    assert path.read_text().splitlines()[1].startswith(' "rate"')
    assert path.read_text().endswith("}\n")
