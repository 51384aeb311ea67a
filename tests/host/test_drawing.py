import io
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import pytest

from keybeam.drawing import BLUE, svg_figure


def draw(target, name="counts", **options):
    with svg_figure(target, name, (4, 3), **options) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=BLUE)
        axes.set_xlabel("time / s")


def test_a_drawing_repeats_byte_for_byte_and_its_text_is_text(tmp_path):
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    draw(first)
    draw(second)
    assert first.read_bytes() == second.read_bytes()
    root = ElementTree.fromstring(first.read_text())
    assert root.attrib["width"] == "288pt"
    assert "time / s" in "".join(root.itertext())


def test_identifiers_of_two_drawings_in_a_page_differ():
    pages = io.StringIO(), io.StringIO()
    for page, name in zip(pages, ("counts", "delays"), strict=True):
        draw(page, name)
    first, second = (
        {
            one.attrib["id"]
            for one in ElementTree.fromstring(page.getvalue()).findall(".//{*}clipPath")
        }
        for page in pages
    )
    assert first
    assert first.isdisjoint(second)


def test_a_part_of_a_page_lets_its_background_through(tmp_path):
    page, path = io.StringIO(), tmp_path / "alone.svg"
    draw(page)
    draw(path)
    assert "fill: #ffffff" in path.read_text()
    assert "fill: #ffffff" not in page.getvalue()


def test_what_fails_leaves_no_file_and_no_style(tmp_path):
    before = mpl.rcParams["font.size"]
    path = tmp_path / "a.svg"
    with pytest.raises(ZeroDivisionError), svg_figure(path, "counts", (4, 3), font_size=4):
        assert mpl.rcParams["font.size"] == 4
        _ = 1 / 0
    assert not path.exists()
    assert mpl.rcParams["font.size"] == before
