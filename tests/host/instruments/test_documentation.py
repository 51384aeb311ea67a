from pathlib import Path

from keybeam.instruments.models_table import replace_tables

PAGE = Path(__file__).resolve().parents[3] / "docs" / "instruments.md"


def test_the_tables_of_the_page_are_those_of_the_drivers():
    # If not: make docs
    text = PAGE.read_text("utf-8")
    assert replace_tables(text) == text
