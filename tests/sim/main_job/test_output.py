import pytest

from keybeam_sim.main_job.output import OutputFolderError, output_folder


def test_results_appear_at_the_end(tmp_path):
    target = tmp_path / "deep" / "pass"
    with output_folder(target) as folder:
        (folder / "result.json").write_text("{}")
        assert not target.exists()
    assert (target / "result.json").read_text() == "{}"
    assert [entry.name for entry in target.parent.iterdir()] == ["pass"]


def test_failure_leaves_nothing_half_written(tmp_path):
    target = tmp_path / "pass"
    with pytest.raises(OSError, match="full"), output_folder(target) as folder:
        (folder / "result.json").write_text("{}")
        raise OSError("disk full")
    assert list(tmp_path.iterdir()) == []


def test_earlier_results_are_replaced_only_by_complete_ones(tmp_path):
    target = tmp_path / "pass"
    for text in ("first", "second"):
        with output_folder(target) as folder:
            (folder / "result.json").write_text(text)
    with pytest.raises(ValueError, match="broken"), output_folder(target) as folder:
        raise ValueError("broken")
    assert (target / "result.json").read_text() == "second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["pass"]


def test_foreign_files_are_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputFolderError, match="no pass has written"), output_folder(tmp_path):
        pass
    assert (tmp_path / "thesis.tex").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "pass").write_text("")
    with pytest.raises(OutputFolderError, match="is a file"), output_folder(tmp_path / "pass"):
        pass


def test_folder_is_private(tmp_path):
    with output_folder(tmp_path / "pass"):
        pass
    assert (tmp_path / "pass").stat().st_mode & 0o077 == 0
